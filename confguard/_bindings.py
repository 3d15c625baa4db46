"""What is written beside a field to say where its value lives."""

from dataclasses import dataclass

from confguard._reference import Reference, parse_reference, unescape_braces


@dataclass(frozen=True, slots=True)
class From:
    """Binds a field to one value in a store, asked for when no source has it.

        secret_key: Annotated[SecretStr, From("vault://secret/myservice#/secret_key")]

    Nothing is checked here, so that a module with a wrong reference still imports and `confguard check` can report it with
    everything else.

    Attributes:
        reference: ``SCHEME://PATH[?PARAMS][#/FRAGMENT]``; a literal brace is written twice.
        secret: Whether the value is a secret, as what a store holds is unless said otherwise. A field that is bound to a secret
            must have a secret type: `SecretStr`, `SecretBytes` or `Secret[T]`.
    """

    reference: str
    secret: bool = True

    def parse(self) -> Reference:
        """The reference, split.

        Raises:
            InvalidReferenceError: It cannot be read; the message says what to write instead.
        """
        return parse_reference(unescape_braces(self.reference))
