"""The loggers of the SDK. Those below a name that is here are only known where they are there already, so each has its name."""

_SERVICE = "google.cloud.secretmanager_v1.services.secret_manager_service"

LOGGERS = (
    # The SDK logs what it sends and gets, payloads too.
    *("google", f"{_SERVICE}.client", f"{_SERVICE}.transports.grpc", "google.api_core.retry"),
    *("google.auth", "google.auth._default", "google.auth._helpers", "google.auth._refresh_worker", "google.auth.credentials"),
    *("google.auth._regional_access_boundary_utils", "google.auth.external_account", "google.auth.impersonated_credentials"),
    *("google.auth.external_account_authorized_user", "google.auth.transport._mtls_helper", "google.auth.transport.mtls"),
    *("google.auth.compute_engine._metadata", "google.auth.compute_engine._mtls", "google.auth.compute_engine.credentials"),
    *("google.oauth2._client", "google.oauth2.credentials", "google.oauth2.service_account"),
    *("grpc", "grpc._channel", "grpc._common", "grpc._cython.cygrpc", "grpc._plugin_wrapping", "grpc._simple_stubs"),
    *("requests", "urllib3", "urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.response"),
    "urllib3.util.retry",
)
