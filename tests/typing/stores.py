"""What type checkers see of the providers that come with the library. Checked by mypy and pyright, and never run."""

from pathlib import Path

from azure.identity import DefaultAzureCredential
from google.auth.credentials import AnonymousCredentials

from confguard import SettingsConfigDict
from confguard.provider import Provider
from confguard_aws import AWS, Agent
from confguard_azure import AzureKeyVault
from confguard_gcp import GCP
from confguard_local import Environment, Files
from confguard_vault import JWT, AppRole, Kubernetes, NoAuth, Token, UserPass, Vault

providers: list[Provider] = [
    Vault(address="https://127.0.0.1:8200", auth=AppRole("shop", secret_id_file=Path("/run/secrets/id"), mount="approle")),
    Vault(auth=Token(file="/vault/token"), namespace="team", ca_cert=Path("ca.pem"), verify=True, timeout=2.5),
    AWS(region="eu-west-1", profile="shop", endpoint_url="https://127.0.0.1", ca_bundle=Path("ca.pem"), agent=Agent()),
    GCP(project="shop", location="europe-west3", endpoint="https://127.0.0.1", credentials=AnonymousCredentials()),
    AzureKeyVault(credential=DefaultAzureCredential(), vaults={"shop": "https://shop.example.com"}, ca_cert=Path("ca.pem")),
    Files(["/run/secrets", Path("/etc/app")]),
    Environment(),
]
config = SettingsConfigDict(providers=providers, file_roots=["/run/secrets"], allowed_references=["vault://secret/app/"])

for auth in (UserPass("shop", password_file="/run/secrets/p"), JWT("shop", file="/run/t"), Kubernetes("shop"), NoAuth()):
    Vault(auth=auth)

Vault(auth="a-token")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
Vault("https://127.0.0.1:8200")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
AppRole()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
AWS(region=1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
AWS(agent="http://127.0.0.1:2773")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
GCP(credentials="a-token")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
AzureKeyVault(credential="a-token")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
AzureKeyVault(vaults=["shop"])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
Files([1])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
Environment("PATH")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
SettingsConfigDict(providers=[AppRole("shop")])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
SettingsConfigDict(file_roots=[1])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
