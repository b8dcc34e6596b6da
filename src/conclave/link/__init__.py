"""One connection between two peers, without sockets: TLS, hello, frames, heartbeat, farewell."""
