/* reading.h: the documents as they stand in the files now, and what was wrong with them.
 *
 * Called by the watcher: the apps of gatehouse.yaml are read at start and at a reload only (they
 * are the operator's to apply), the resources at each change. Judges nothing beyond the files.
 */
#ifndef GATEHOUSE_CONF_READING_H
#define GATEHOUSE_CONF_READING_H

#include "conf/document_cache.h"

struct reading_part {
    struct document_list list;
    struct diagnostics diagnostics;
    struct slice source; /* the path of gatehouse.yaml, or of the directory; the list's arena's */
    const struct document **owners; /* of each diagnostic; NULL: none; the list's arena's */
    int error; /* -errno when the source itself could not be read: all of it is kept */
};

struct reading {
    struct reading_part settings;
    struct reading_part resources; /* of the files that were read just now */
    struct document_cache cache;   /* of all files; of use unless resources.error */
};

/* Finds the document that each diagnostic speaks of: to be called, once, when list and diagnostics
 * are complete. 0 or -ENOMEM. */
int reading_attribute(struct reading_part *part);

/* Each replaces its part, attributed. `path`, `directory`: absolute; an empty directory means none.
 * Of the resources only files are read that changed, or were not settled. */
void reading_settings(struct reading *reading, struct slice path);
void reading_resources(struct reading *reading, struct slice directory);
/* Gives the resources' memory back, once they were judged. */
void reading_forget_resources(struct reading *reading);
void reading_free(struct reading *reading);

/* Whether documents of this file that were not seen shall be kept: the file, or the directory that
 * it stands in, could not be read as a whole. */
bool reading_damaged(const struct reading *reading, struct slice file);

/* Why a refused document was refused: "spec.x: reason; hint", or a sentence without the details.
 * *place: where. */
void reading_reason(const struct reading *reading, const struct document *document, char *out,
                    size_t room, struct place *place);

/* What a good document is warned of: the first, and how many more. False: nothing. */
bool reading_warning(const struct reading *reading, const struct document *document, char *out,
                     size_t room);

/* Files that could not be read as a whole, each once, with the first error: calls `visit` for each
 * until it returns non-zero, which is returned. */
typedef int (*reading_visit)(void *context, struct place place, const char *reason);
int reading_damages(const struct reading *reading, reading_visit visit, void *context);

#endif
