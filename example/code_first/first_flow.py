"""The first example: two seeds, two steps, one of them stored."""

import pandas as pd

import sinagot as sg


@sg.step
def multiply(df: pd.DataFrame, factor: int) -> pd.DataFrame:
    """Multiply every number of a table."""
    return df * factor


@sg.step
def get_single_data(df: pd.DataFrame) -> int:
    """Take the number at the top."""
    return int(df.iloc[0, 0])


class TestWorkflow(sg.Workflow):
    """What is given for each workflow, and what is made from it."""

    raw_data: pd.DataFrame = sg.seed()
    factor: int = sg.seed()
    multiplied_data: pd.DataFrame = multiply.step(raw_data, factor=factor)
    final_data: int = get_single_data.step(multiplied_data)


class TestWorkspace(sg.Workspace[TestWorkflow]):
    """Where which attribute is stored."""

    raw_data = sg.LocalStorage("raw_data/data-{workflow_id}.csv")
    factor = sg.LocalStorage("params/factor")
    multiplied_data = sg.LocalStorage(
        "computed/multiplied_data-{workflow_id}.csv", write_kwargs={"index": False}
    )
    # final_data is not stored: computed on demand
