"""`completion`: scripts that let a shell complete commands, options, intervals and symbols."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}
_VARIABLE = "_POCKETQUANT_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that makes the TAB key complete commands.

    \b
    eval "$(pocketquant completion bash)"                          # in ~/.bashrc
    eval "$(pocketquant completion zsh)"                           # in ~/.zshrc
    pocketquant completion fish > ~/.config/fish/completions/pocketquant.fish
    """
    kind = _SHELLS[shell]
    click.echo(kind(context.find_root().command, {}, "pocketquant", _VARIABLE).source())
