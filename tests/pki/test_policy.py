from __future__ import annotations

import pytest

from conclave.errors import LocalError, Refused
from conclave.pki.keys import generate_device_key
from conclave.pki.names import Handle
from conclave.pki.policy import BACKDATE, DAY, LIFETIME, GrantSettings, judge, made_at, renewal_due
from conclave.pki.profile import Profile
from conclave.pki.request import ProvenRequest, build_request, read_request
from tests.pki.ward import NOW, ward


def proven(claimed: str = "ayse") -> ProvenRequest:
    return read_request(build_request(generate_device_key(Profile.TLS), Handle(claimed)), Profile.TLS)


def test_a_grant_takes_its_name_from_the_account() -> None:
    request = proven()
    grant = judge(request, ward().identity("ayse"), NOW)
    assert grant.identity == ward().identity("ayse")
    assert (grant.public, grant.profile) == (request.public, Profile.TLS)
    assert (grant.not_before, grant.not_after) == (NOW - BACKDATE, NOW + LIFETIME)
    assert made_at(grant.not_before) == NOW
    assert grant.not_after - NOW == 10 * DAY


@pytest.mark.parametrize("claimed", ["burak", "Ayse", "ayse ", "ays\u0435"])
def test_another_handle_is_refused(claimed: str) -> None:
    with pytest.raises(Refused, match="claims to be") as caught:
        judge(proven(claimed), ward().identity("ayse"), NOW)
    assert caught.value.reason == "other-handle"
    assert str(caught.value).isascii()


def test_lifetimes_are_settings_within_bounds() -> None:
    grant = judge(proven(), ward().identity("ayse"), NOW, GrantSettings(lifetime=3600, backdate=0))
    assert (grant.not_before, grant.not_after) == (NOW, NOW + 3600)
    for bad in ({"lifetime": 59.0}, {"lifetime": 367 * DAY}, {"backdate": -1.0}, {"backdate": 2 * DAY}):
        with pytest.raises(LocalError):
            GrantSettings(**bad)


@pytest.mark.parametrize(
    ("lifetime", "renewed", "back"),
    [
        (10 * DAY, -7 * DAY, DAY),  # a tenth of the life, for clocks that are behind
        (60 * DAY, -40 * DAY, DAY),  # a day at most
        (10 * DAY, -3600.0, 3600.0),  # not before the certificate that it renews
        (3600.0, -2400.0, 360.0),
        (60.0, -340.0, BACKDATE),
        (10 * DAY, -10.0, BACKDATE),
    ],
)
def test_a_renewed_certificate_is_good_for_whose_clock_is_behind(
    lifetime: float, renewed: float, back: float
) -> None:
    settings = GrantSettings(lifetime=lifetime)
    grant = judge(proven(), ward().identity("ayse"), NOW, settings, renewed=NOW + renewed)
    assert (grant.not_before, grant.not_after) == (NOW - back, NOW + lifetime)


def test_renewal_is_spread_around_two_thirds() -> None:
    dates = [renewal_due(0, 900, spread) for spread in (0, 0.25, 0.5, 0.999)]
    assert dates == sorted(dates)
    assert dates[2] == pytest.approx(600)
    assert all(554.9 < date < 645.1 for date in dates)
