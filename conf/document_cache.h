/* document_cache.h: what the files of a directory said when they were read last, as long as they
 * do not change, so that a change costs the files that changed.
 *
 * Called by reading.c and the publisher. Only files whose every document is in force are
 * remembered, and of a document only what tells it from another: a file of which anything was
 * refused is read again each time. Never judges.
 */
#ifndef GATEHOUSE_CONF_DOCUMENT_CACHE_H
#define GATEHOUSE_CONF_DOCUMENT_CACHE_H

#include "conf/document.h"

#include <sys/types.h>
#include <time.h>

/* A file that changed this lately may change again without a trace: the kernel's time moves in
 * steps of up to 10 ms. */
enum { DOCUMENT_CACHE_YOUNG = 20 }; /* milliseconds */

struct registry_slot;

/* A document that is in force as its file says it. */
struct cached_document {
    struct registry_slot *slot; /* the registry's: it stays as long as the document is in force */
    unsigned line, column;
};

/* The same signature is the same content: every write moves the time of change. */
struct file_signature {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

enum cached_file_state {
    CACHED_FILE_READ,    /* just now, into the caller's list */
    CACHED_FILE_SETTLED, /* unchanged: `documents` are all that it says */
};

struct cached_file {
    struct slice path; /* owned, as are the rest; followed by a NUL */
    enum cached_file_state state;
    struct file_signature signature;
    bool young;
    struct cached_document *documents; /* NULL: not remembered */
    size_t count;
};

struct document_cache {
    struct slice directory;     /* owned */
    struct cached_file **files; /* owned; sorted by path */
    size_t count;
};

/* Looks at the directory. What is new or changed is added to `list` and `diagnostics`. Another
 * directory than before forgets all. 0; or -errno of the directory: then no file has a state that
 * may be used. */
int document_cache_read(struct document_cache *cache, struct slice directory,
                        struct document_list *list, struct diagnostics *diagnostics);

/* Remembers what a file said that was just read; takes `documents`, which may be NULL: it is then
 * read again each time. */
void document_cache_settle(struct cached_file *file, struct cached_document *documents,
                           size_t count);

/* How many files the last look at the directory read. */
size_t document_cache_read_count(const struct document_cache *cache);
void document_cache_free(struct document_cache *cache);

#endif
