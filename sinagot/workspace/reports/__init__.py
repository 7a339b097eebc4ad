"""Reports for people who do not have the tool: the facts of a study, the text for a paper, one page of HTML.

Knows what is on record of a workspace; must not know the command line, and writes nothing but the file it is asked for.
`study` looks the facts up, `methods` and `page` say them.
"""
