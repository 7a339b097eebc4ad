"""Wrong configurations are refused at opening, with file, line, key, what was found and what is allowed."""

from __future__ import annotations

import pytest

from sinagot import ConfigurationError, Workspace

#: Text below [records], the key that is named, words of the message.
WRONG = {
    "broken toml": ("[steps\n", None, []),
    "twice": ("[steps]\nscripts = []\n[steps]\n", None, []),
    "near miss of a table": ('[step]\nscripts = ["a"]\n', "step", ["did you mean", "steps"]),
    "steps as text": ('[steps]\nscripts = "a"\n', "steps.scripts", ["'a'", "list"]),
    "steps of numbers": ("[steps]\nscripts = [1]\n", "steps.scripts", ["1"]),
    "unknown mode": ('[run]\nmode = "dusk"\n', "run.mode", ["dusk", "main_process", "did you mean 'dask'"]),
    "unknown scheduler": (
        '[dask.scheduler]\ntype = "prosesses"\n',
        "dask.scheduler.type",
        ["did you mean 'processes'"],
    ),
    "unknown plugin": (
        '[tasks.T]\nmodalities = ["M"]\n[modalities.M.models]\nplugin = "pandsa"\n',
        "modalities.M.models.plugin",
        ["pandsa", "did you mean 'pandas'"],
    ),
    "unknown modality": (
        '[tasks.T]\nmodalities = ["EGG"]\n[modalities.EEG]\n',
        "tasks.T.modalities",
        ["EGG", "EEG"],
    ),
    "no modalities": ("[tasks.T]\n[modalities.M]\n", "tasks.T.modalities", []),
    "scripts of an unknown task": (
        '[tasks.T]\nmodalities = ["M"]\n[modalities.M.task_scripts]\nX = ["a"]\n',
        "modalities.M.task_scripts.X",
        [],
    ),
    "task and modality of one name": ('[tasks.A]\nmodalities = ["A"]\n[modalities.A]\n', "A", ["task"]),
    "log level": ('[log]\nlevel = "LOUD"\n', "log.level", ["LOUD"]),
    "path is a number": ("[path]\ndataset = 7\n", "path.dataset", ["7"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_configuration_is_refused_with_its_place(lab, name: str) -> None:
    """Each mistake is a ConfigurationError (a ValueError) that names file, line and key; nothing is written."""
    text, key, words = WRONG[name]
    file = lab.config(text)
    before = lab.tree()
    with pytest.raises(ConfigurationError) as caught:
        lab.open()
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert str(file) in message
    if key is not None:
        assert key in message
        assert caught.value.line is not None and f"{file}:{caught.value.line}" in message
    for word in words:
        assert word in message
    assert lab.tree() == before


def test_all_mistakes_are_told_at_once(lab) -> None:
    """Several mistakes come in one error, each as an error of its own in `problems`."""
    lab.config('[run]\nmode = "x"\n[steps]\nscripts = 7\n[log]\nlevel = "LOUD"\n')
    with pytest.raises(ConfigurationError) as caught:
        lab.open()
    assert {problem.key for problem in caught.value.problems} == {"run.mode", "steps.scripts", "log.level"}
    assert all(part in str(caught.value) for part in ("run.mode", "steps.scripts", "log.level"))


def test_unknown_key_is_a_warning_with_a_guess(lab) -> None:
    """An unknown key in a section of ours warns with file, line and a guess, and the workspace opens."""
    lab.unit("a", more='[log]\nlevle = "INFO"\n')
    with pytest.warns(UserWarning, match=r"workspace\.toml:\d+: log\.levle.*did you mean 'level'"):
        ws = lab.open()
    assert ws.steps.run().counts["done"] == 2
    with pytest.warns(UserWarning, match="levle"):
        Workspace(lab.root)


def test_tables_of_the_user_are_free(lab) -> None:
    """A top-level table of another name belongs to the user."""
    lab.unit("a", more='[equipment]\namplifier = "EGI"\n[equipment.cap]\nchannels = 256\n')
    assert lab.open().config["equipment"] == {"amplifier": "EGI", "cap": {"channels": 256}}


def test_dask_mode_needs_dask(lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask mode where dask can't be found is refused at opening; main-process mode never needs it."""
    import importlib.util

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: (
            None if name.partition(".")[0] in ("dask", "distributed") else find_spec(name, *rest)
        ),
    )
    lab.unit("a")
    assert lab.open().steps.run().counts["done"] == 2
    lab.unit("a", more='[run]\nmode = "dask"\n')
    with pytest.raises(ConfigurationError, match="dask"):
        lab.open()


@pytest.mark.parametrize("arguments", [(), ([],)])
def test_nothing_to_open(arguments: tuple[object, ...]) -> None:
    """Without a folder the error says what may be given; without any argument, both ways to make a workspace."""
    with pytest.raises(ConfigurationError) as caught:
        Workspace(*arguments)
    words = (
        ("sinagot.Workspace(folder)", "sinagot.Workspace[YourWorkflow](folder)")
        if not arguments
        else ("a list of paths",)
    )
    assert all(word in str(caught.value) for word in words)
