/* key_address.h: which addresses a fetch of a key set never connects to. Pure.
 *
 * Called by key_fetch.c for every socket before it connects, so that no name, however it is made
 * to resolve, leads to link-local, metadata, multicast or unspecified addresses.
 */
#ifndef GATEHOUSE_CONF_KEY_ADDRESS_H
#define GATEHOUSE_CONF_KEY_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* `loopback_only`: anything that is not loopback is refused, too. */
bool key_address_refused(const struct sockaddr *address, socklen_t size, bool loopback_only);

#endif
