"""Compare the three levels of one day."""

import json

from sinagot import ScriptTemplate


class Script(ScriptTemplate):
    """Write the three totals of a day and whether they agree."""

    # Outputs of three units of the record: the step runs when the last of them is there.
    PATH_IN = {
        "national": ("totals", "{id}-andamento-nazionale.txt"),
        "regions": ("totals", "{id}-regioni.txt"),
        "provinces": ("totals", "{id}-province.txt"),
    }
    PATH_OUT = ("agreement", "{id}.json")

    def run(self) -> None:
        """Read the numbers and say so in the log when they differ."""
        totals = {level: int(path.read_text(encoding="utf-8")) for level, path in self.path.input.items()}
        agree = len(set(totals.values())) == 1
        if not agree:
            self.logger.warning("levels differ: %s", totals)
        self.path.output.write_text(json.dumps({**totals, "agree": agree}) + "\n", encoding="utf-8")
