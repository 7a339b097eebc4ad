"""Count the boats of each country."""

import csv
from collections import Counter

from sinagot import ScriptTemplate


class Script(ScriptTemplate):
    # Path segments below the dataset; {id} stands for the record id.
    PATH_IN = ("raw", "{id}.csv")
    PATH_OUT = ("count", "{id}.csv")

    def run(self):
        with self.path.input.open(newline="") as file:
            boats = Counter(row["country"] for row in csv.DictReader(file))

        # The output comes to its place when run() has returned: half a file is never seen there.
        with self.path.output.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["country", "count"])
            table.writerows(sorted(boats.items()))
