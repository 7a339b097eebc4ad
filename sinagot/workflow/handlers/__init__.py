"""What turns values into files and back, by type and suffix: plain values, structures, tables, arrays, signals.

Knows formats; must not know workflows or records. Each module registers its handlers when it is imported, and imports
the packages of its types only where it reads or writes.
"""
