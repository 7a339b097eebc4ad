"""`sinagot completion`: the text that teaches a shell to complete commands, options and names.

Knows which shells there are; what they ask afterwards is answered by `sinagot.cli.completion`.
"""

from __future__ import annotations

import click

from sinagot.cli.completion import SHELLS
from sinagot.cli.exits import Exit

__all__ = ["command"]


@click.command(
    "completion",
    epilog="""
\b
Examples:
  sinagot completion bash

\b
Where to put it:
  bash   sinagot completion bash > ~/.local/share/bash-completion/completions/sinagot
         or in ~/.bashrc:  eval "$(sinagot completion bash)"
  zsh    sinagot completion zsh > ~/.zfunc/_sinagot
         and in ~/.zshrc:  fpath+=~/.zfunc; autoload -Uz compinit; compinit
  fish   sinagot completion fish > ~/.config/fish/completions/sinagot.fish

Records, steps, tasks and modalities are completed as the last run has found them:
nothing is looked for while you type.
""",
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print what teaches a shell to complete our words."""
    from sinagot.cli.completion import script

    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    click.echo(script(group, "sinagot", shell), nl=False)
    return Exit.OK
