/* certificate.h: whether a server certificate and a private key, both PEM, belong together.
 *
 * Called by `gatehouse check`, which tells before a worker has to. Pure: opens nothing, asks nobody
 * for a password, keeps nothing.
 */
#ifndef GATEHOUSE_SHARED_CERTIFICATE_H
#define GATEHOUSE_SHARED_CERTIFICATE_H

#include "shared/slice.h"

enum certificate_fault {
    CERTIFICATE_GOOD,
    CERTIFICATE_UNREADABLE,     /* no certificate stands in it */
    CERTIFICATE_KEY_UNREADABLE, /* no private key, or one that wants a password */
    CERTIFICATE_KEY_OTHER,      /* the key is another certificate's */
    CERTIFICATE_EXPIRED,
    CERTIFICATE_NOT_YET, /* its time has not begun */
};

/* The first certificate is the server's own. The first fault that is found, the worst first. */
enum certificate_fault certificate_check(struct slice certificate, struct slice key);

#endif
