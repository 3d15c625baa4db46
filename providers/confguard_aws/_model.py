"""The operations that are called, as a service model of the SDK: what goes into each, and what is read of its answer.

The SDK's own models of these two services describe more than 200 operations. To read them takes it longer than the rest of a
client, and more memory than all else that a load does. What stands here is the wire protocol, which does not change under a
client; endpoints, signatures and partitions are still the SDK's own, so that new regions come with a newer SDK.
"""

from collections.abc import Mapping

Model = Mapping[str, object]

API_VERSIONS: Mapping[str, str] = {"secretsmanager": "2017-10-17", "ssm": "2014-11-06"}
"""The services whose models stand here, and the folder of their endpoints in the SDK's data."""


def _structure(**members: str) -> Model:
    return {"type": "structure", "members": {name: {"shape": shape} for name, shape in members.items()}}


def _list(shape: str) -> Model:
    return {"type": "list", "member": {"shape": shape}}


def _model(
    service: str, service_id: str, target: str, operations: Mapping[str, tuple[str, str]], shapes: Mapping[str, Model]
) -> Model:
    scalars = {"String": "string", "Boolean": "boolean", "Integer": "integer", "Long": "long"}
    return {
        "version": "2.0",
        "metadata": {
            "apiVersion": API_VERSIONS[service],
            "endpointPrefix": service,
            "jsonVersion": "1.1",
            "protocol": "json",
            "protocols": ["json"],
            "serviceFullName": service_id,
            "serviceId": service_id,
            "signatureVersion": "v4",
            "signingName": service,
            "targetPrefix": target,
            "uid": f"{service}-{API_VERSIONS[service]}",
        },
        "operations": {
            name: {
                "name": name,
                "http": {"method": "POST", "requestUri": "/"},
                "input": {"shape": input_shape},
                "output": {"shape": output_shape},
            }
            for name, (input_shape, output_shape) in operations.items()
        },
        "shapes": {**{name: {"type": kind} for name, kind in scalars.items()}, **shapes, "Strings": _list("String")},
    }


_SECRET = {"ARN": "String", "Name": "String", "VersionId": "String", "SecretBinary": "String", "SecretString": "String"}

MODELS: Mapping[str, Model] = {
    "secretsmanager": _model(
        "secretsmanager",
        "Secrets Manager",
        "secretsmanager",
        {"GetSecretValue": ("One", "Secret"), "BatchGetSecretValue": ("Many", "Secrets")},
        {
            "One": _structure(SecretId="String", VersionId="String", VersionStage="String"),
            "Secret": _structure(**_SECRET),
            "Many": _structure(SecretIdList="Strings", NextToken="String"),
            "Secrets": _structure(SecretValues="Found", Errors="Refused", NextToken="String"),
            "Found": _list("Secret"),
            "Refused": _list("Error"),
            "Error": _structure(SecretId="String", ErrorCode="String"),
        },
    ),
    "ssm": _model(
        "ssm",
        "SSM",
        "AmazonSSM",
        {"GetParameters": ("Named", "Answer"), "GetParametersByPath": ("Below", "Page")},
        {
            "Named": _structure(Names="Strings", WithDecryption="Boolean"),
            "Answer": _structure(Parameters="Parameters", InvalidParameters="Strings"),
            "Below": _structure(
                Path="String", Recursive="Boolean", WithDecryption="Boolean", MaxResults="Integer", NextToken="String"
            ),
            "Page": _structure(Parameters="Parameters", NextToken="String"),
            "Parameters": _list("Parameter"),
            "Parameter": _structure(
                Name="String", Type="String", Value="String", Version="Long", Selector="String", ARN="String"
            ),
        },
    ),
}
