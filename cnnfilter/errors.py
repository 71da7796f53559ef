"""The exceptions that users meet; each carries one line that says what is wrong and what would be right."""

import errno


class CnnfilterError(Exception):
    """Base of all errors of this package. `exit_code` is what the command returns for it (README, exit codes)."""

    exit_code = 1


class ParameterError(CnnfilterError, ValueError):
    """A parameter that cannot be used: wrong usage, nothing was done.

    `parameter` is its name in the Python API (`pad_mode`); the command names the option (`--pad-mode`).

    >>> str(ParameterError("stride", "0 is not a positive whole number"))
    'stride: 0 is not a positive whole number'
    """

    exit_code = 2

    @property
    def in_shell(self) -> str:
        """The message with the parameter named as the option that it is in the shell."""
        if not self.parameter:
            return self.message
        if self.parameter.isupper():  # a variable of the environment
            return str(self)
        name = "INPUT" if self.parameter == "input" else "--" + self.parameter.replace("_", "-")
        return f"{name}: {self.message}"

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(parameter, message)
        self.parameter = parameter
        self.message = message

    def __str__(self) -> str:
        return f"{self.parameter}: {self.message}" if self.parameter else self.message


class UnfitError(ParameterError):
    """A parameter that may be right for other images, but does not fit this one."""


class FileError(CnnfilterError):
    """A file that cannot be read or written: `path` as the user named it, `message` without the name."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class OutputError(FileError):
    """An output that cannot be written; `is_lasting` where no further one could be either, as on a full disk."""

    def __init__(self, path: str, message: str, number: int | None = None) -> None:
        super().__init__(path, message)
        self.is_lasting = number in (errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", None))


class ClusterError(CnnfilterError):
    """A cluster that was lost in the middle of a run; what was reported is done."""
