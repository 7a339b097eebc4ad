"""Open the harbor workspace, run its steps, and tell what came of it.

Usage: ``python demo.py [FOLDER]``; without a folder, the one of this file.
"""

import sys
from pathlib import Path

from sinagot import Workspace
from sinagot.utils import StepStatus


def main(folder: Path) -> int:
    """Run the workspace twice: the second time there is nothing to do."""
    ws = Workspace(folder)
    print(f"{ws.records.count()} records, steps {', '.join(ws.steps.scripts_names())}\n")

    report = ws.steps.run()

    status = ws.steps.status()
    status["step_status"] = [f"{code} {StepStatus(code).name}" for code in status["step_status"]]
    print("\nStatus")
    print(status.drop(columns=["task", "modality"]).to_string(index=False))

    print("\nThe same again: what is up to date is not run twice")
    print(ws.steps.run())

    print(f"\nresults: {ws.data_path / 'count'} and {ws.data_path / 'mean'}")
    print(f"logs:    {ws.data_path / 'LOG'}")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent))
