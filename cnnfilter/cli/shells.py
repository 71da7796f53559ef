r"""The scripts that bash and zsh run when Tab is pressed; fish runs Click's own.

They differ from Click's in this: a word that ends in `=`, `:` or `/` wants more and gets no space, `--option=` (three
words to bash) and `local:` (two) complete, and the shell neither splits nor expands what is offered.
"""

import os
from typing import Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

_BASH = r"""%(complete_func)s() {
    local IFS=$'\n' kind value
    COMPREPLY=()
    while IFS=, read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value"); [[ $value == *[=:/] ]] && compopt -o nospace ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1")
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_ZSH = r"""#compdef %(prog_name)s
%(complete_func)s() {
    local -a response whole unfinished
    local kind value meaning
    (( ! $+commands[%(prog_name)s] )) && return 1
    local -x COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete
    response=("${(@f)$(%(prog_name)s)}")
    for kind value meaning in ${response}; do
        case $kind in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain)
                [[ $meaning == _ ]] && meaning= || meaning=":$meaning"
                if [[ $value == *[=:/] ]]; then
                    unfinished+=("${value//:/\\:}$meaning")
                else
                    whole+=("${value//:/\\:}$meaning")
                fi ;;
        esac
    done
    (( $#whole )) && _describe -V unsorted whole -U
    (( $#unfinished )) && _describe -V unfinished unfinished -U -S ''
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class Bash(BashComplete):
    """What bash sends and gets."""

    source_template = _BASH
    _kept = ""  # what bash, to which a colon ends a word, leaves as it is

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the last one, and that; `--option`, `=`, `value` are one word, and `local`, `:`, `2`."""
        typed = split_arg_string(os.environ["COMP_WORDS"])[1:]
        count = int(os.environ["COMP_CWORD"])
        words = [*typed[: count - 1], typed[count - 1] if count <= len(typed) else ""]
        folded: list[str] = []
        for word in words:
            is_value = folded and folded[-1].startswith("--") and (word == "=" or folded[-1].endswith("="))
            if is_value or (folded and (word == ":" or folded[-1].endswith(":"))):
                folded[-1] += word
            else:
                folded.append(word)
        typed_value = folded[-1].partition("=")[2] if folded[-1].startswith("--") else folded[-1]
        self._kept = typed_value.rpartition(":")[0] + ":" if ":" in words[-2:] else ""
        return folded[:-1], folded[-1]

    def format_completion(self, item: "CompletionItem[Any]") -> str:
        """The type and the value; of one with colons what comes after those that were typed."""
        return f"{item.type},{str(item.value).removeprefix(self._kept)}"


class Zsh(ZshComplete):
    """What zsh sends and gets."""

    source_template = _ZSH

    def format_completion(self, item: "CompletionItem[Any]") -> str:
        """Three lines: the type, the value as it is, and what it means."""
        return f"{item.type}\n{item.value}\n{item.help or '_'}"


class Fish(FishComplete):
    """What fish sends; the word being typed may have an open quote, which older Click takes for a part of it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one being typed, and that."""
        words = split_arg_string(os.environ["COMP_WORDS"])[1:]
        typed = split_arg_string(os.environ["COMP_CWORD"])
        incomplete = typed[0] if typed else ""
        return (words[:-1] if incomplete and words[-1:] == [incomplete] else words), incomplete


def register() -> None:
    """Let Click use these."""
    add_completion_class(Bash)
    add_completion_class(Zsh)
    add_completion_class(Fish)
