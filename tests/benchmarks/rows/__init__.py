"""The rows of the table: each module measures one of them, in all its places, and says how."""
