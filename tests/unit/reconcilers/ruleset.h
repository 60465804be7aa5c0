/*
 * Rulesets of others, written as text and put on the fake side.
 *
 *     chain ip filter FORWARD forward 0 drop     a base chain: hook, priority, policy
 *     chain ip filter DOCKER-USER                one that is only called
 *     set ip filter lan4                         of IPv4 addresses, empty
 *     counter iifname docker* accept             a rule of the last chain
 *
 * Words of a rule: iifname, oifname (with a final * a beginning), saddr, daddr (a prefix), proto N,
 * tcp|udp dport N|N-M, state new|established, dnat, mark [!]V/M, setmark V, byte N (of the
 * transport header: N bytes that nobody knows), @set, counter, other; accept, drop, reject, return,
 * continue, queue, jump CHAIN, goto CHAIN, vmap MAP.
 */
#pragma once

#include "reconcilers/sys/fake.h"

void ruleset_put(struct sys *sys, const char *text);
