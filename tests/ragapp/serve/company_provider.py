"""An OpenID Connect provider as a process of its own, from Authlib's server parts; it lies when it is told to.

    python company_provider.py → prints the address it listens on, then serves until it is ended

POST /be {"claims": {…}, "lie": "nonce"} says who signs in next, and what is wrong with what is said of them. With
"refreshes" it gives refresh tokens, each good for one use; "revoked" subjects are refused, by every token of theirs.
GET /asked says how often each grant was asked for.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "ragapp", "a secret with % and + in it"
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
NEXT_KEY = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})
STRANGERS_KEY = RSAKey.generate_key(2048, {"kid": "first"})


@dataclass
class Told:
    """Who signs in next, and how the provider lies."""

    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "1"})
    lie: str = ""
    id_token_claims: list[str] | None = None
    """Only these in the ID token, the rest in userinfo; all when None."""
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    refreshes: bool = False
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    """By token the subject; one that was used is gone."""
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By subject the claims as they are now."""
    revoked: list[str] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)


class Client(ClientMixin):
    def get_client_id(self) -> str:
        return CLIENT

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.endswith("/v1/oidc/callback")

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_post"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):
    code: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


app = Flask(__name__)
told = Told()


class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)

    def save_authorization_code(self, code: str, request: Any) -> None:
        asked = request.payload.data
        told.codes[code] = Code(
            code, asked["redirect_uri"], asked["scope"], asked.get("nonce"),
            asked["code_challenge"], asked["code_challenge_method"],
        )  # fmt: skip

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        return told.codes.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del told.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> dict[str, Any]:
        return told.claims


class IdToken(OpenIDCode):  # type: ignore[misc]
    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def get_jwt_config(self, grant: Any, client: Any = None) -> dict[str, Any]:
        return {"key": KEY.as_dict(private=True), "alg": "RS256", "iss": issuer(), "exp": 300}

    def generate_user_info(self, user: dict[str, Any], scope: str) -> UserInfo:
        shown = user if told.id_token_claims is None else {name: user[name] for name in told.id_token_claims}
        return UserInfo(shown)


def issuer() -> str:
    return request.host_url.rstrip("/")


def save_token(token: dict[str, Any], request: Any) -> None:
    told.tokens[token["access_token"]] = dict(told.claims)


server = AuthorizationServer(app, query_client=lambda _: Client(), save_token=save_token)
server.register_grant(Grant, [IdToken(require_nonce=True), CodeChallenge(required=True)])


@app.post("/be")
def be() -> Any:
    said = request.get_json()
    told.claims = said.get("claims", told.claims)
    told.lie = said.get("lie", "")
    told.id_token_claims = said.get("id_token_claims")
    told.refreshes = said.get("refreshes", False)
    told.revoked = said.get("revoked", [])
    told.people[told.claims["sub"]] = told.claims
    return jsonify({})


@app.get("/asked")
def asked() -> Any:
    return jsonify(told.asked)


@app.get("/.well-known/openid-configuration")
def metadata() -> Any:
    return jsonify(
        issuer="https://other.example" if told.lie == "metadata" else issuer(),
        authorization_endpoint=f"{issuer()}/authorize",
        token_endpoint=f"{issuer()}/token",
        jwks_uri=f"{issuer()}/keys",
        userinfo_endpoint=f"{issuer()}/userinfo",
        id_token_signing_alg_values_supported=["RS256", "HS256", "none"],
        token_endpoint_auth_methods_supported=["client_secret_post"],
    )


@app.get("/keys")
def keys() -> Any:
    held = [NEXT_KEY] if told.lie == "new key" else [KEY]
    return jsonify(keys=[key.as_dict(private=False) for key in held])


@app.get("/authorize")
def authorize() -> Any:
    if told.lie == "denied":
        return redirect(f"{request.args['redirect_uri']}?error=access_denied&state={request.args['state']}")
    if told.lie == "error page":
        text = "access_denied&error_description=Call+0900-1234"
        return redirect(f"{request.args['redirect_uri']}?error={text}&state={request.args['state']}")
    try:
        grant = server.get_consent_grant(end_user=told.claims)
    except OAuth2Error as error:
        return jsonify(error=error.error), 400
    return server.create_authorization_response(grant=grant, grant_user=told.claims)


@app.post("/token")
def token() -> Any:
    kind = request.form.get("grant_type", "")
    told.asked[kind] = told.asked.get(kind, 0) + 1
    if told.lie == "down":
        return "<html>Bad gateway</html>", 502
    if kind == "refresh_token":
        return refreshed()
    response = server.create_token_response()
    made = json.loads(response.get_data())
    if "id_token" in made and told.refreshes:
        made["refresh_token"] = new_refresh_token(told.claims["sub"])
    if "id_token" not in made or not told.lie:
        return jsonify(made) if "id_token" in made else response
    claims = dict(jwt.decode(made["id_token"], KEY).claims)
    made["id_token"] = LIES[told.lie](claims) if told.lie in LIES else made["id_token"]
    return jsonify({name: value for name, value in made.items() if value is not None})


def new_refresh_token(subject: str) -> str:
    made = f"refresh-{secrets.token_urlsafe(16)}"
    told.refresh_tokens[made] = subject
    return made


def refreshed() -> Any:
    """Each refresh token once: whoever comes with a used one is refused, as providers do that rotate them."""
    if request.form.get("client_secret") != SECRET:
        return jsonify(error="invalid_client"), 401
    subject = told.refresh_tokens.pop(request.form["refresh_token"], None)
    if subject is None or subject in told.revoked:
        return jsonify(error="invalid_grant"), 400
    fresh, claims = new_refresh_token(subject), told.people[subject]
    if told.lie == "lost":
        return "<html>Gateway timeout</html>", 504
    access = secrets.token_urlsafe(16)
    told.tokens[access] = claims
    made = {"access_token": access, "token_type": "Bearer", "expires_in": 300, "refresh_token": fresh}
    if told.lie != "no ID token":
        now = int(time.time())
        said = claims if told.id_token_claims is None else {name: claims[name] for name in told.id_token_claims}
        id_token = {"iss": issuer(), "aud": [CLIENT], "exp": now + 300, "iat": now, **said}
        if told.lie == "somebody else":
            id_token["sub"] = "somebody else"
        made["id_token"] = LIES[told.lie](id_token) if told.lie in LIES else signed(id_token)
    return jsonify(made)


@app.get("/userinfo")
def userinfo() -> Any:
    claims = told.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
    if claims is None or claims["sub"] in told.revoked:
        return jsonify(error="invalid_token"), 401
    claims = told.people.get(claims["sub"], claims)
    return jsonify(claims | ({"sub": "somebody else"} if told.lie == "userinfo" else {}))


def signed(claims: dict[str, Any], key: Any = KEY, alg: str = "RS256", **header: Any) -> str:
    return jwt.encode({"alg": alg, "kid": key.kid, **header}, claims, key, algorithms=[alg])


def unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "none"}, claims, OctKey.generate_key(256), algorithms=["none"])


def by_public_key(claims: dict[str, Any]) -> str:
    """The public key taken for a shared secret, the classic confusion of algorithms."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "first"}, claims)]
    said = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    seal = hmac.digest(KEY.as_pem(private=False), said, "sha256")
    return (said + b"." + base64.urlsafe_b64encode(seal).rstrip(b"=")).decode()


LIES: dict[str, Any] = {
    "nonce": lambda claims: signed(claims | {"nonce": "another"}),
    "no nonce": lambda claims: signed({name: value for name, value in claims.items() if name != "nonce"}),
    "audience": lambda claims: signed(claims | {"aud": ["another client"]}),
    "second audience": lambda claims: signed(claims | {"aud": [CLIENT, "another"], "azp": "another"}),
    "expired": lambda claims: signed(claims | {"exp": int(time.time()) - 3600}),
    "no expiry": lambda claims: signed({name: value for name, value in claims.items() if name != "exp"}),
    "issuer": lambda claims: signed(claims | {"iss": "https://other.example"}),
    "no subject": lambda claims: signed(claims | {"sub": ""}),
    "access token": lambda claims: signed(claims | {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    "signature": lambda claims: signed(claims, STRANGERS_KEY),
    "unsigned": unsigned,
    "public key as secret": by_public_key,
    "no ID token": lambda _: None,
    "garbage": lambda _: "a.b.c",
    "new key": lambda claims: signed(claims, NEXT_KEY),
}


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Not a word."""


if __name__ == "__main__":
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as serving:
        print(f"http://127.0.0.1:{serving.server_port}", flush=True)
        serving.serve_forever()
