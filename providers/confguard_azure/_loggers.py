"""The loggers of the SDK and of what it stands on, which say addresses, headers and what services write.

Named one by one, since most of them are made while the SDK is imported, which is while it fetches: a name silences what is there
below it, and not what comes later.
"""

LOGGERS = (
    *("azure", "charset_normalizer", "msal", "msal_extensions", "azure.core._pipeline_client", "azure.core.exceptions"),
    *("azure.core.paging", "azure.core.pipeline._base", "azure.core.pipeline.policies._base"),
    *("azure.core.pipeline.policies._distributed_tracing", "azure.core.pipeline.policies._redirect"),
    *(
        "azure.core.pipeline.policies._retry",
        "azure.core.pipeline.policies.http_logging_policy",
        "azure.core.pipeline.policies._universal",
    ),
    *("azure.core.pipeline.transport._base", "azure.core.pipeline.transport._requests_basic", "azure.core.polling._poller"),
    *("azure.core.settings", "azure.identity._credentials.azd_cli", "azure.identity._credentials.azure_cli"),
    *("azure.identity._credentials.azure_powershell", "azure.identity._credentials.chained"),
    *("azure.identity._credentials.default", "azure.identity._credentials.environment"),
    *("azure.identity._credentials.managed_identity", "azure.identity._internal.aad_client_base"),
    *("azure.identity._internal.decorators", "azure.identity._internal.get_token_mixin"),
    *("azure.identity._internal.interactive", "azure.identity._internal.linux_vscode_adapter"),
    *("azure.identity._internal.managed_identity_client", "azure.identity._internal.msal_managed_identity_client"),
    *("azure.identity._internal.utils", "azure.identity._persistent_cache"),
    *("azure.keyvault.secrets._generated._serialization", "azure.keyvault.secrets._generated._utils.model_base"),
    *("azure.keyvault.secrets._generated._utils.serialization", "azure.keyvault.secrets._shared._polling"),
    *("msal.application", "msal.authority", "msal.cloudshell", "msal.managed_identity", "msal.mex"),
    *("msal.oauth2cli.assertion", "msal.oauth2cli.authcode", "msal.oauth2cli.oidc", "msal.region", "msal.telemetry"),
    *("msal.token_cache", "msal.wstrust_request", "requests", "urllib3", "urllib3.connection", "urllib3.connectionpool"),
    *("urllib3.poolmanager", "urllib3.response", "urllib3.util.retry"),
)
