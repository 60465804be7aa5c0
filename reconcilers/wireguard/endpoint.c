#include "reconcilers/wireguard/wireguard.h"

/* REJECT_AFTER_TIME of the protocol: a session that is older carries nothing any more. */
static const int64_t session_seconds = 180;

bool wg_endpoint_equal(const struct wg_endpoint *a, const struct wg_endpoint *b)
{
    return ip_equal(&a->ip, &b->ip) && a->port == b->port;
}

bool wg_endpoint_due(const struct wg_endpoint *wanted, const struct wg_endpoint *told,
                     const struct wg_seen_peer *seen, int64_t now)
{
    if (!wanted->ip.family)
        return false;
    if (!seen || !seen->endpoint.ip.family)
        return true;
    if (wg_endpoint_equal(wanted, &seen->endpoint))
        return false;
    return !wg_endpoint_equal(wanted, told) || now - seen->last_handshake > session_seconds;
}
