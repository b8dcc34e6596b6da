"""Who is who: names, requests, grants, certificates, revocation, verification. Pure; time is handed in."""
