"""What is said of a setting that cannot work."""

from confguard.provider import Failure

SCHEME = "gcpsecrets"


class SetupError(Exception):
    """What is set cannot work. Made by us, so it holds no secret."""

    def __init__(self, message: str, tip: str) -> None:
        super().__init__(message)
        self.message = message
        self.tip = tip

    def failure(self, what: str = SCHEME) -> Failure:
        """The failure of whatever needed the setting."""
        return Failure("unconfigured", f"{what}: {self.message}", tip=self.tip)
