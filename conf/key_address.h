/* key_address.h: which addresses a fetch of a key set never connects to. Pure.
 *
 * Called by key_fetch.c for every socket before it connects, so that no name, however it is made
 * to resolve, leads to link-local, metadata, multicast or unspecified addresses.
 */
#ifndef GATEHOUSE_CONF_KEY_ADDRESS_H
#define GATEHOUSE_CONF_KEY_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

enum key_address_scope {
    KEY_ADDRESS_NAMED,    /* the operator named the host: private and loopback ones are allowed */
    KEY_ADDRESS_LOOPBACK, /* nothing but loopback */
    KEY_ADDRESS_PUBLIC,   /* somebody else named the host: private and loopback are refused */
};

bool key_address_refused(const struct sockaddr *address, socklen_t size,
                         enum key_address_scope scope);

#endif
