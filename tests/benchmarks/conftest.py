"""Only the smoke run is a test; the rest of this folder is the program that it runs."""

collect_ignore_glob = ["[!t]*.py", "rows/*", "probes/*"]
