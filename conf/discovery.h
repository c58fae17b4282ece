/* discovery.h: where an issuer publishes its keys, by its own metadata (OpenID Connect Discovery
 * 1.0, section 4; RFC 8414). Pure.
 *
 * Called by auth_config_document.c (may this issuer be asked?) and key_refresh.c. Never fetches.
 */
#ifndef GATEHOUSE_CONF_DISCOVERY_H
#define GATEHOUSE_CONF_DISCOVERY_H

#include "shared/buffer.h"
#include "shared/slice.h"

enum discovery_form {
    DISCOVERY_OPENID, /* issuer + /.well-known/openid-configuration */
    DISCOVERY_OAUTH,  /* /.well-known/oauth-authorization-server + the issuer's path */
};

struct discovery {
    struct slice jwks_uri; /* in `text` */
    bool other_host;       /* than the issuer's: nobody configured it */
    struct buffer text;    /* owned */
};

/* NULL when the issuer's metadata can be asked for: an https URL without a query, or http at a
 * loopback host, or anywhere when `insecure`. Else why not, a literal. */
const char *discovery_refused(struct slice issuer, bool insecure);

/* Appends the metadata's URL, of an issuer that is not refused. 0 or -ENOMEM. */
int discovery_url(struct slice issuer, enum discovery_form form, struct buffer *out);

/* Reads a metadata document. Its `issuer` must be this one, byte for byte, and its `jwks_uri` https
 * (http at a loopback host when the issuer is so, too). 0; -EINVAL with *reason (a literal);
 * -ENOMEM. Free it in every case. */
int discovery_read(struct slice text, struct slice issuer, struct discovery *out,
                   const char **reason);
void discovery_free(struct discovery *discovery);

#endif
