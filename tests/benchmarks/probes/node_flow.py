"""The two tiny steps of the other probes, as nodes of a workflow class over the same folder."""

import sinagot as sg


@sg.step
def first(text: str) -> str:
    return text.upper()


@sg.step
def second(text: str) -> str:
    return text.lower()


class Tiny(sg.Workflow):
    raw: str = sg.seed()
    first: str = first.step(raw)
    second: str = second.step(first)


class TinyWorkspace(sg.Workspace[Tiny]):
    raw = sg.LocalStorage("raw/{workflow_id}.csv")
    first = sg.LocalStorage("first/{workflow_id}.csv")
    second = sg.LocalStorage("second/{workflow_id}.csv")
