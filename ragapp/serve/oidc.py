"""Signing in through the company's own provider: OpenID Connect's code flow with state, nonce and PKCE."""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet, OctKey
from joserfc.jws import JWSRegistry

from ragapp.errors import SettingsError
from ragapp.secret_file import read_secret
from ragapp.serve.problems import Refused
from ragapp.settings import OidcSettings

STARTED_LASTS_S = 600
"""How long a person may take at the provider."""
_TIMEOUT_S = 10.0
_METADATA_LAST_S = 3600.0
_DOWN_FOR_S = 5.0
"""Whoever comes within this time of a failed try is told at once, so that a hanging provider holds up no threads."""
_CLOCKS_DIFFER_S = 60
_SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""By the provider's key pair only: "none" signs nothing, and HS… would be signed with a secret that others know."""
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_LOST = "This sign-in was not started in this browser, or took too long; start it again."


@dataclass(frozen=True, slots=True)
class Identity:
    """Whoever signed in, as the provider knows them."""

    subject: str
    """Issuer and subject: the only thing that an account is recognised by, since names and addresses change hands."""
    claims: Mapping[str, Any]
    grant: Grant = field(default_factory=lambda: Grant(), repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """By what the provider can be asked again about whoever signed in; worth as much as their password there."""

    refresh: str = field(default="", repr=False)
    access: str = field(default="", repr=False)


class Ended(Refused):
    """The provider vouches for somebody no more."""

    def __init__(self, why: str) -> None:
        super().__init__(HTTPStatus.UNAUTHORIZED, f"The sign-in provider vouches for this account no more ({why}).")


def grant_text(grant: Grant) -> str:
    """A grant as text, to be sealed."""
    return json.dumps([grant.refresh, grant.access])


def grant_from(text: str | None) -> Grant:
    """The grant that was written so. Raises Ended where there is none, or none that can be read."""
    try:
        refresh, access = json.loads(text or "")
        return Grant(str(refresh), str(access))
    except (ValueError, TypeError):
        raise Ended("what it can be asked by can't be read") from None


class Provider:
    """One provider, as its own metadata describe it. Safe to share between threads."""

    def __init__(self, settings: OidcSettings, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises SettingsError where issuer or secret can't be used."""
        assert settings.issuer is not None
        _refuse_eavesdroppers(settings.issuer)
        self._issuer = settings.issuer.rstrip("/")
        self._settings = settings
        self._secret = _secret(settings)
        self._clock = clock
        # a restart of the service makes those who are at the provider start again
        self._key = OctKey.generate_key(256)
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._fetched = self._failed = -_METADATA_LAST_S
        self._keys: KeySet | None = None

    def start(self, redirect_uri: str, onward: str) -> tuple[str, str]:
        """The provider's address to send a browser to, and the cookie by which the browser is known again."""
        started = {
            "state": secrets.token_urlsafe(24),
            "nonce": secrets.token_urlsafe(24),
            "verifier": secrets.token_urlsafe(48),
            "onward": onward,
            "exp": int(time.time()) + STARTED_LASTS_S,
        }
        address, _ = self._client(redirect_uri).create_authorization_url(
            self._known()["authorization_endpoint"],
            state=started["state"],
            nonce=started["nonce"],
            code_verifier=started["verifier"],
        )
        return str(address), jwt.encode({"alg": "HS256"}, started, self._key)

    def finish(self, cookie: str, answer: Mapping[str, str], redirect_uri: str) -> tuple[Identity, str]:
        """Who came back from the provider, and where they wanted to go. Raises Refused, in one sentence."""
        started = self._started(cookie)
        if not hmac.compare_digest(answer.get("state", "").encode(), started["state"].encode()):
            raise Refused(HTTPStatus.BAD_REQUEST, _LOST)
        known = self._known()
        # RFC 9207: an answer of another provider must not be taken for this one's
        if answer.get("iss", known["issuer"]) != known["issuer"]:
            raise self._untrusted("another issuer")
        if error := answer.get("error"):
            raise self._refused(error)
        token = self._redeem(answer.get("code", ""), started["verifier"], redirect_uri)
        claims = self._verified(token, started["nonce"])
        subject = f"{claims['iss']} {claims['sub']}"
        return Identity(subject, self._with_userinfo(claims, token), _grant(token)), started["onward"]

    def renew(self, subject: str, grant: Grant, keep: Callable[[Grant], None]) -> Identity:
        """What the provider says of somebody now. `keep` is called with a grant that takes the place of this one as
        soon as there is one. Raises Ended where the provider vouches for them no more, and Refused where it can't be
        asked or trusted at the moment."""
        if not grant.refresh:
            return Identity(subject, self._by_access(subject, grant), grant)
        token = self._tokens("", grant_type="refresh_token", refresh_token=grant.refresh)
        fresh = Grant(_text(token.get("refresh_token")) or grant.refresh, _text(token.get("access_token")))
        keep(fresh)
        if not token.get("id_token"):
            return Identity(subject, self._by_access(subject, fresh), fresh)
        claims = self._verified(token, None)
        if f"{claims['iss']} {claims['sub']}" != subject:
            raise Ended("it speaks of another person")
        return Identity(subject, self._with_userinfo(claims, token), fresh)

    def _by_access(self, subject: str, grant: Grant) -> dict[str, Any]:
        """By the access token alone, which lasts as long as the provider says; without its groups it is no word."""
        endpoint = self._known().get("userinfo_endpoint")
        if not grant.access or not endpoint:
            raise Ended("it gave nothing to ask it by again")
        try:
            with self._http() as session:
                answer = session.get(endpoint, headers={"authorization": f"Bearer {grant.access}"})
        except httpx.HTTPError:
            raise self._unreachable() from None
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Ended("its word has run out")
        told = self._told(answer)
        if told.get("sub") != subject.partition(" ")[2]:
            raise Ended("it speaks of another person")
        if self._settings.groups_claim not in told and not grant.refresh:
            raise Ended("it says nothing of groups without a sign-in")
        return told

    def _started(self, cookie: str) -> dict[str, Any]:
        try:
            started = jwt.decode(cookie, self._key, algorithms=["HS256"]).claims
            jwt.JWTClaimsRegistry(exp={"essential": True}).validate(started)
        except (JoseError, ValueError):
            raise Refused(HTTPStatus.BAD_REQUEST, _LOST) from None
        return started

    # what the provider says

    def _redeem(self, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """The code for tokens."""
        return self._tokens(redirect_uri, grant_type="authorization_code", code=code, code_verifier=verifier)

    def _tokens(self, redirect_uri: str, **given: str) -> dict[str, Any]:
        """What the provider gives for a code or a refresh token. Raises Ended where it takes the latter no more."""
        refreshing = "refresh_token" in given
        with self._http() as session:
            client = self._client(redirect_uri, session)
            if refreshing:
                client.scope = None  # as it was granted, which may be less than was asked for
            basic = (self._settings.client_id, self._secret)
            # in the body where it may be: how basic authentication encodes a secret is read differently by providers
            in_body = not self._secret or "client_secret_post" in self._known().get(
                "token_endpoint_auth_methods_supported", ()
            )
            more = {"client_id": self._settings.client_id} if in_body else {}
            if in_body and self._secret:
                more["client_secret"] = self._secret
            try:
                token = client.fetch_token(
                    self._known()["token_endpoint"],
                    auth=httpx.Auth() if in_body else basic,
                    **given,
                    **more,
                )
            except httpx.HTTPError:
                raise self._unreachable() from None
            except AuthlibBaseError as error:
                if refreshing and error.error == "invalid_grant":
                    raise Ended("invalid_grant") from None
                raise self._refused(str(error.error)) from None
            except (ValueError, TypeError, KeyError):
                raise self._untrusted("no tokens") from None
        return dict(token)

    def _verified(self, token: Mapping[str, Any], nonce: str | None) -> dict[str, Any]:
        """The ID token's claims; one that comes with a refresh has no nonce. Whatever is wrong with it, nobody is let
        in."""
        known, raw = self._known(), token.get("id_token")
        if not isinstance(raw, str):
            raise self._untrusted("no ID token")
        offered = known.get("id_token_signing_alg_values_supported") or _SIGNATURES
        registry = JWSRegistry(algorithms=[each for each in _SIGNATURES if each in offered], strict_check_header=False)
        try:
            try:
                decoded = jwt.decode(raw, self._key_set(), registry=registry)
            except InvalidKeyIdError:
                decoded = jwt.decode(raw, self._key_set(anew=True), registry=registry)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {"iss": {"value": known["issuer"]}, "aud": {"value": self._settings.client_id}},
                {
                    "nonce": nonce,
                    "client_id": self._settings.client_id,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(leeway=_CLOCKS_DIFFER_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise self._untrusted(getattr(error, "claim", "") or getattr(error, "error", "") or "unreadable") from None
        if not claims["sub"]:
            raise self._untrusted("no subject")
        return dict(claims)

    def _with_userinfo(self, claims: dict[str, Any], token: Mapping[str, Any]) -> dict[str, Any]:
        """Providers that keep ID tokens short give name and groups only here."""
        wanted = {self._settings.name_claim, self._settings.groups_claim}
        endpoint, access = self._known().get("userinfo_endpoint"), token.get("access_token")
        if wanted <= claims.keys() or not endpoint or not access:
            return claims
        told = self._json(endpoint, {"authorization": f"Bearer {access}"})
        if told.get("sub") != claims["sub"]:
            raise self._untrusted("another person's userinfo")
        return told | claims

    def _key_set(self, *, anew: bool = False) -> KeySet:
        if self._keys is None or anew:
            self._keys = KeySet.import_key_set(self._json(self._known()["jwks_uri"]))  # type: ignore[arg-type]
        return self._keys

    def _known(self) -> dict[str, Any]:
        """The provider's metadata, fetched once an hour."""
        with self._lock:
            now = self._clock()
            if now - self._fetched > _METADATA_LAST_S:
                if now - self._failed < _DOWN_FOR_S:
                    raise self._unreachable()
                try:
                    self._metadata, self._keys = self._fetch(), None
                except Refused:
                    self._failed = self._clock()
                    raise
                self._fetched = now
            return self._metadata

    def _fetch(self) -> dict[str, Any]:
        told = self._json(f"{self._issuer}/.well-known/openid-configuration")
        if str(told.get("issuer", "")).rstrip("/") != self._issuer:
            raise self._untrusted("another issuer in its metadata")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(told.get(name), str):
                raise self._untrusted(f"no {name} in its metadata")
        try:
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
                _refuse_eavesdroppers(told.get(name) or self._issuer)
        except SettingsError:
            raise self._untrusted(f"{name} without https") from None
        return told

    def _json(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            with self._http() as session:
                answer = session.get(address, headers=headers)
        except httpx.HTTPError:
            raise self._unreachable() from None
        return self._told(answer)

    def _told(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            told = answer.raise_for_status().json()
        except httpx.HTTPError:
            raise self._unreachable() from None
        except ValueError:
            raise self._untrusted("no JSON") from None
        if not isinstance(told, dict):
            raise self._untrusted("no JSON object")
        return told

    def _http(self) -> httpx.Client:
        return httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False)

    def _client(self, redirect_uri: str, session: httpx.Client | None = None) -> OAuth2Client:
        return OAuth2Client(
            session,
            client_id=self._settings.client_id,
            scope=self._settings.scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )

    # faults; what the provider or a forged address says is never repeated beyond a code

    def _unreachable(self) -> Refused:
        return Refused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"The sign-in provider {self._host} can't be reached; try again in a moment, or tell an admin.",
        )

    def _refused(self, code: str) -> Refused:
        shown = f" ({code})" if _ERROR_CODE.fullmatch(code) else ""
        return Refused(
            HTTPStatus.FORBIDDEN, f"The sign-in provider {self._host} refused{shown}; start again, or tell an admin."
        )

    def _untrusted(self, what: str) -> Refused:
        return Refused(
            HTTPStatus.FORBIDDEN,
            f"The answer of the sign-in provider {self._host} can't be trusted ({what}); tell an admin.",
        )

    @property
    def _host(self) -> str:
        return urlsplit(self._issuer).netloc


def _grant(token: Mapping[str, Any]) -> Grant:
    return Grant(_text(token.get("refresh_token")), _text(token.get("access_token")))


def _text(given: Any) -> str:
    return given if isinstance(given, str) else ""


def _refuse_eavesdroppers(address: str) -> None:
    """Raises SettingsError for an address whose answers others could read or change on the way."""
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname:
        try:
            if parts.hostname == "localhost" or ip_address(parts.hostname).is_loopback:
                return
        except ValueError:
            pass
    raise SettingsError(
        f"The address {address!r} of serve.oidc.issuer can't be used: it must begin with https://, or http:// on this "
        "machine."
    )


def _secret(settings: OidcSettings) -> str:
    if settings.client_secret is not None:
        return settings.client_secret.get_secret_value()
    if settings.client_secret_file is None:
        return ""
    return read_secret(settings.client_secret_file, "serve.oidc.client_secret_file")
