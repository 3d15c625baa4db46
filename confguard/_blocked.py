"""What a server gets in place of the rest of a response. A room of its own, since all that is raised is told in one place."""


class ResponseBlockedError(Exception):
    """A secret was met in a response whose beginning had been sent; the connection has to be cut.

    Attributes:
        incident: The id under which it is logged.
    """

    def __init__(self, incident: str) -> None:
        self.incident = incident
        super().__init__(f"a response was cut before a secret in it was sent: incident {incident}")
