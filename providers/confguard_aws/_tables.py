"""The tables of what can go wrong: what an error of AWS, an exception of the SDK, and a fault of the connection mean.

The kind comes from codes and types, never from text: text is written by others and may name what it should not. One question
decides which: what would help? Trying again (``unavailable``, ``throttled``), another credential or policy (``unauthenticated``,
``denied``), or another setting (``unconfigured``)?

In tips ``{action}`` and ``{resource}`` are what a policy of IAM would have to allow, ``{origin}`` is where the credentials come
from, ``{address}`` and ``{region}`` are where it was asked, ``{skew}`` is by how much this machine's clock is wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from confguard.provider import FailureKind


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    kind: FailureKind
    message: str
    tip: str | None = None


_RENEW = "get new credentials: those of {origin} are expired, revoked, or of another partition"
_ENABLED = f"{_RENEW}; or {{region}} is not enabled for the account"
_KEY = "check the secret key of {origin}, and this machine's clock"
_TRY = "try again; see the health of the service in {region}"
_WAY = "look at what stands between here and AWS"
_SUPPORT = "check {address}: it answers, and not as AWS does"
_ENDPOINT = "check the region, AWS_ENDPOINT_URL, AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT"

DENIED = Row(
    "denied",
    "denied (or it does not exist)",
    "the policy needs {action} on {resource}; and kms:Decrypt, where the value has a KMS key of its own",
)
THROTTLED = Row("throttled", "too many requests", "try again later, or ask for a higher quota of {action}")
SERVER_ERROR = Row("unavailable", "an error inside AWS, or before it", _TRY)
REDIRECT = Row("unconfigured", "a redirect, not followed", _SUPPORT)
UNKNOWN = Row("malformed", "an error that is not known here", _SUPPORT)
SKEW = Row("unauthenticated", "this machine's clock is {skew} that of AWS", "set this machine's clock")

NO_ROLE = Row(
    "unauthenticated",
    "the credentials cannot be had",
    "may who this workload is take the role? See the trust policy of the role, and sts:AssumeRole",
)

_KMS = Row(
    "denied",
    "its KMS key cannot be used",
    "the key must be enabled, and its policy and ours need kms:Decrypt",
)
_NO_SIGNATURE = Row("unauthenticated", "no signature has arrived", _WAY)
_BAD_SIGNATURE = Row("unauthenticated", "the signature is not right", _KEY)
_IDENTITY = Row(
    "unauthenticated", "the identity token is not taken", "check the token file, its audience, and the trust of the role"
)
_BAD_NAME = Row("unconfigured", "AWS does not take this name", "check how the name is written")
_BAD_OPERATION = Row("unconfigured", "what is asked does not know this operation", _SUPPORT)

CODES: Mapping[str, Row] = {
    "ResourceNotFound": Row("missing", "no such secret, or no such version of it", "check the name and the region ({region})"),
    "ParameterNotFound": Row("missing", "no such parameter", "check the name and the region ({region})"),
    "ParameterVersionNotFound": Row("missing", "no such version of the parameter", "check the version or the label"),
    "InvalidRequest": Row(
        "missing", "not to be read in its state: it is scheduled for deletion", "restore it, or write a new one"
    ),
    **dict.fromkeys(("AccessDenied", "UnauthorizedOperation", "NotAuthorized"), DENIED),
    **dict.fromkeys(("DecryptionFailure", "InvalidKeyId", "KMSAccessDenied"), _KMS),
    "ExpiredToken": Row("unauthenticated", "the credentials are expired", _RENEW),
    "RequestExpired": Row("unauthenticated", "the credentials are expired, or the request is too old", _RENEW),
    **dict.fromkeys(
        ("UnrecognizedClient", "InvalidClientTokenId"), Row("unauthenticated", "the credentials are not known", _ENABLED)
    ),
    **dict.fromkeys(("InvalidAccessKeyId", "AuthFailure"), Row("unauthenticated", "the credentials are not known", _RENEW)),
    "OptInRequired": Row("unauthenticated", "the account may not use this service here", "enable {region} for the account"),
    **dict.fromkeys(("InvalidSignature", "SignatureDoesNotMatch", "IncompleteSignature", "RequestTimeTooSkewed"), _BAD_SIGNATURE),
    **dict.fromkeys(("MissingAuthenticationToken", "MissingAuthenticationTokenFailure"), _NO_SIGNATURE),
    **dict.fromkeys(("InvalidIdentityToken", "IDPRejectedClaim"), _IDENTITY),
    "IDPCommunicationError": Row("unavailable", "AWS cannot reach the identity provider", "try again; can AWS reach it?"),
    "RegionDisabled": Row("unconfigured", "the region is not enabled for the account", "enable {region}, or set another region"),
    "Unauthorized": Row("unauthenticated", "the login is not taken", "log in again: aws sso login"),
    **dict.fromkeys(
        (
            *("Throttling", "Throttled", "RequestThrottled", "TooManyRequests", "RequestLimitExceeded", "LimitExceeded"),
            *("SlowDown", "BandwidthLimitExceeded", "ProvisionedThroughputExceeded", "PriorRequestNotComplete"),
        ),
        THROTTLED,
    ),
    **dict.fromkeys(
        ("InternalServiceError", "InternalServerError", "InternalServer", "InternalFailure"),
        Row("unavailable", "an error inside AWS", _TRY),
    ),
    "ServiceUnavailable": Row("unavailable", "the service is not available", _TRY),
    "RequestTimeout": Row("unavailable", "AWS did not get the whole request in time", _WAY),
    **dict.fromkeys(
        ("Validation", "ValidationError", "InvalidParameter", "InvalidParameterValue", "InvalidFilterKey"), _BAD_NAME
    ),
    "InvalidNextToken": Row("unavailable", "the pages of the answer do not fit together", "try again"),
    "UnsupportedParameterType": Row("malformed", "a parameter of a type that cannot be read", "check the parameter"),
    **dict.fromkeys(("UnknownOperation", "InvalidAction"), _BAD_OPERATION),
    "Serialization": Row("malformed", "the request was not understood", _SUPPORT),
}
"""What a code of AWS means, without ``Exception`` at its end: services do not agree on that."""

SKEWED = frozenset(
    {"InvalidSignature", "SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed", "AuthFailure", "ExpiredToken"}
)
"""Codes that a wrong clock can be the reason of."""

_LOG_IN = Row("unauthenticated", "there is no login, or it is expired", "log in: aws sso login")
_NO_ENDPOINT = Row("unconfigured", "there is no such endpoint", _ENDPOINT)

ERRORS: Mapping[str, Row] = {
    # Who we are.
    "NoCredentialsError": Row(
        "unauthenticated",
        "no credentials",
        "give this workload a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY",
    ),
    "PartialCredentialsError": Row(
        "unauthenticated", "half of the credentials is not set", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, both"
    ),
    **dict.fromkeys(("UnauthorizedSSOTokenError", "SSOTokenLoadError", "SSOError", "TokenRetrievalError"), _LOG_IN),
    "LoginError": Row("unauthenticated", "there is no login, or it is expired", "log in: aws login"),
    "NoAuthTokenError": _LOG_IN,
    "RefreshWithMFAUnsupportedError": Row(
        "unauthenticated", "the role wants a code of a second factor", "use a role that a service can take"
    ),
    "ContainerCredentialsError": Row(
        "unavailable",
        "the container's credentials cannot be had (yet)",
        "does what AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI names answer?",
    ),
    "CredentialRetrievalError": Row(
        "unauthenticated", "the credentials cannot be had", "run the profile's credential_process by hand"
    ),
    "MetadataRetrievalError": Row("unavailable", "the metadata service does not answer", "try again"),
    "FileNotFoundError": Row(
        "unavailable", "a file of the credentials is not there (yet)", "is the token file written, and mounted here?"
    ),
    "PermissionError": Row(
        "unconfigured", "a file of the credentials cannot be read by this user", "check its owner and its mode"
    ),
    # Where and how to ask.
    "ProfileNotFound": Row(
        "unconfigured", "there is no such profile", "check AWS_PROFILE or AWS(profile=…), AWS_CONFIG_FILE and HOME"
    ),
    "ConfigParseError": Row("unconfigured", "the configuration file cannot be read", "mend ~/.aws/config and ~/.aws/credentials"),
    "ConfigNotFound": Row("unconfigured", "the configuration file is not there", "check AWS_CONFIG_FILE"),
    "InvalidConfigError": Row("unconfigured", "the configuration of the profile cannot work", "mend it in ~/.aws/config"),
    "UnknownCredentialError": Row("unconfigured", "credential_source names what does not exist", "mend it in ~/.aws/config"),
    "NoRegionError": Row("unconfigured", "no region is set", "set AWS_DEFAULT_REGION or AWS_REGION, or say AWS(region=…)"),
    "InvalidRegionError": Row("unconfigured", "the region is none", "check AWS_DEFAULT_REGION or AWS(region=…)"),
    **dict.fromkeys(("BaseEndpointResolverError", "EndpointProviderError", "InvalidEndpointConfigurationError"), _NO_ENDPOINT),
    "InvalidProxiesConfigError": Row("unconfigured", "the proxy's configuration cannot work", "check HTTPS_PROXY"),
    "InvalidRetryConfigurationError": Row(
        "unconfigured", "AWS_MAX_ATTEMPTS cannot work", "set AWS_MAX_ATTEMPTS to a number from 1"
    ),
    "MissingDependencyException": Row(
        "unconfigured", "this way to log in needs another package", "install awscrt, or log in another way"
    ),
    "InvalidIMDSEndpointError": Row(
        "unconfigured", "the metadata service's address is none", "check AWS_EC2_METADATA_SERVICE_ENDPOINT"
    ),
    # What came back.
    "IncompleteReadError": Row("unavailable", "the answer was cut off", _WAY),
    "ResponseParserError": Row("malformed", "the answer is not that of AWS", _SUPPORT),
    "UnicodeDecodeError": Row("malformed", "the answer is no text", _SUPPORT),
    # What is left, last.
    "BotoCoreError": Row("unconfigured", "the request cannot be made", "check what is set of AWS_…, and the profile"),
    **dict.fromkeys(
        ("ValueError", "LookupError", "RecursionError"),
        Row("malformed", "the answer cannot be read", _SUPPORT),
    ),
}
"""What an exception of the SDK means, by the name of its type or of the nearest one that it comes from."""

FAULTS: Mapping[str, Row] = {
    "refused": Row("unavailable", "connection refused", "check the address, and that it is running"),
    "unresolved": Row(
        "unavailable", "the host name cannot be resolved", "check the region ({region}), and that names can be looked up here"
    ),
    "unreachable": Row("unavailable", "the host cannot be reached", "check the network, and the endpoint of the VPC"),
    "timeout": Row("unavailable", "no answer in time", "check the network, and the endpoint of the VPC"),
    "reset": Row("unavailable", "the connection was cut off", _WAY),
    "truncated": Row("unavailable", "the answer was cut off", _WAY),
    "garbled": Row("malformed", "the answer is not HTTP", _SUPPORT),
    # Waiting does not mend trust: a setting has to change. Only a certificate out of its time is the store's to renew.
    "untrusted": Row(
        "unconfigured",
        "its certificate is not signed by an authority that is trusted here",
        "set AWS_CA_BUNDLE to the file of the authority's certificate",
    ),
    "wrong_host": Row(
        "unconfigured", "its certificate is for another host name", "check the endpoint, and what stands before it"
    ),
    "out_of_date": Row("unavailable", "its certificate is out of its time", "set this machine's clock, or renew the certificate"),
    "not_tls": Row("unconfigured", "it does not speak TLS", "check the scheme of AWS_ENDPOINT_URL or AWS(endpoint_url=…)"),
    "tls": Row("unconfigured", "no TLS connection can be agreed on", _WAY),
    "ca_bundle": Row("unconfigured", "the authorities to trust cannot be read", "check the file of AWS_CA_BUNDLE"),
    "proxy": Row("unavailable", "the proxy did not let us through", "check HTTPS_PROXY, and whether this host needs a proxy"),
    "other": Row("unconfigured", "the request cannot be made", _ENDPOINT),
}
"""What a fault of the connection means; `confguard_aws._fault.fault_of` tells which one an exception is."""
