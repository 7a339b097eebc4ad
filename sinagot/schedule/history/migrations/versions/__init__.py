"""One module a revision of the schema; its number goes up by one."""
