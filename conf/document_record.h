/* document_record.h: what became of a document; the value in `status`, keyed by kind/name, or by
 * file/path for a file that could not be read as a whole.
 *
 * Written and read by the watcher alone; others may show it. Besides the last judgement it keeps
 * what the watcher needs of the last good version over a restart, and workers do not: where it
 * stood, its hash, of a lock where its record is, and of an app auth config whom it selects and
 * where its keys come from.
 */
#ifndef GATEHOUSE_CONF_DOCUMENT_RECORD_H
#define GATEHOUSE_CONF_DOCUMENT_RECORD_H

#include "conf/document.h"
#include "shared/store_key.h"

struct document_record {
    struct slice name; /* empty for a file */
    bool refused;
    struct place place;  /* of what was judged last */
    struct slice reason; /* empty unless refused */
    int64_t time;        /* wall seconds of the judgement */

    struct slice good_hash; /* empty: there is no good version, and nothing below counts */
    struct place good_place;
    struct app_part parts[APP_ENDPOINTS_MAX]; /* of an app of several documents; or none */
    size_t part_count;
    struct slice warning;    /* the first of it, and how many more; empty: none */
    struct slice revocation; /* of a lock: its record's key */
    uint64_t key_epoch;      /* differs after a key left the set */
    struct slice jwks_url;
    bool jwks_insecure;
    /* Of the key set that is held, so that it is fetched again only if it changed; or empty. */
    struct slice keys_url;
    struct slice keys_etag;
    struct slice keys_modified;
    struct slice audiences[AUTH_AUDIENCES_MAX];
    size_t audience_count;
    const struct label_selector *selectors;
    size_t selector_count;
};

int document_record_encode(const struct document_record *record, struct buffer *out);
/* Slices are borrowed from the bytes; *selectors_owned (which `selectors` is) is the caller's to
 * free, NULL when there are none. 0, -EBADMSG or -ENOMEM. */
int document_record_decode(struct slice bytes, struct document_record *out, void **selectors_owned);

/* "app", "app_auth_config", "role", "lock"; DOCUMENT_UNKNOWN: "file", as a whole file has none. */
const char *document_kind_name(enum document_kind kind);
void document_record_key(struct store_key *key, enum document_kind kind, struct slice name);
void document_record_file_key(struct store_key *key, struct slice file);

#endif
