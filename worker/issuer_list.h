/* issuer_list.h: the issuers that a protected resource's metadata names (RFC 9728, 2), and the
 * scopes without which their tokens open nothing.
 *
 * Read by the catalog, at most once a generation for an app and once for all configs together,
 * never on a request's way to an app. Issuers that are no https URLs are left out: a client could
 * not discover anything there (RFC 8414, 2), or not safely. http is good enough on a loopback host,
 * where nobody stands between (RFC 8252, 8.3).
 */
#ifndef GATEHOUSE_WORKER_ISSUER_LIST_H
#define GATEHOUSE_WORKER_ISSUER_LIST_H

#include "worker/catalog.h"

struct issuer_list {
    struct slice issuers[CATALOG_ISSUERS_MAX]; /* each once, borrowed from the list */
    size_t count;
    struct slice scopes[CATALOG_SCOPES_MAX]; /* each once, borrowed from the list */
    size_t scope_count;
    struct slice scope; /* all of them as a challenge's parameter: a space between two */
    char *text;         /* owned: the issuers' bytes */
    char *scope_text;   /* owned: the scopes' */
};

/* Of the configs bound to an app. *out is owned; NULL when nothing is bound. 0 or -errno. */
int issuer_list_read_app(struct issuer_list **out, struct store *config, struct slice app);
/* Of all configs, in the order of their names. *out is owned. */
int issuer_list_read_all(struct issuer_list **out, struct store *config);
void issuer_list_free(struct issuer_list *list); /* NULL is ignored */

#endif
