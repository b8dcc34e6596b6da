"""The doors to the network: links over sockets, the authority's server and its client."""
