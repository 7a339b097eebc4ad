"""Average the size of the boats of each country, in metres."""

import csv
from statistics import fmean

from sinagot import ScriptTemplate


class Script(ScriptTemplate):
    PATH_IN = ("raw", "{id}.csv")
    PATH_OUT = ("mean", "{id}.csv")

    def run(self):
        sizes = {}
        with self.path.input.open(newline="") as file:
            for row in csv.DictReader(file):
                sizes.setdefault(row["country"], []).append(float(row["size"]))

        with self.path.output.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["country", "mean_size"])
            table.writerows((country, round(fmean(sizes[country]), 2)) for country in sorted(sizes))
