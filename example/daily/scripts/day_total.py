"""The step `total`, written once: the three levels differ only in the name that `{modality}` stands for."""

import csv

from sinagot import ScriptTemplate


class DayTotal(ScriptTemplate):
    """Write the cases of one day at one level: the column totale_casi, summed."""

    PATH_IN = ("dati-{modality}", "dpc-covid19-ita-{modality}-{id}.csv")
    PATH_OUT = ("totals", "{id}-{modality}.txt")

    def run(self) -> None:
        """Sum over the rows: the country, its regions or its provinces."""
        with open(self.path.input, newline="", encoding="utf-8-sig") as file:
            total = sum(int(row["totale_casi"]) for row in csv.DictReader(file))
        self.path.output.write_text(f"{total}\n", encoding="utf-8")
