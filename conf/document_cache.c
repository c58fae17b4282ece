#include "conf/document_cache.h"

#include "shared/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct file_signature signature_of(const struct stat *status)
{
    return (struct file_signature){.device = status->st_dev,
                                   .inode = status->st_ino,
                                   .size = status->st_size,
                                   .modified = status->st_mtim,
                                   .changed = status->st_ctim};
}

static bool time_equal(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool signature_equal(const struct file_signature *a, const struct file_signature *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           time_equal(&a->modified, &b->modified) && time_equal(&a->changed, &b->changed);
}

static void file_forget(struct cached_file *file)
{
    free(file->documents);
    file->documents = NULL;
    file->count = 0;
}

static void file_free(struct cached_file *file)
{
    if (file == NULL)
        return;
    file_forget(file);
    free(file);
}

static struct cached_file *file_make(struct slice directory, const char *name)
{
    size_t size = directory.size + 1 + strlen(name);
    struct cached_file *file = calloc(1, sizeof(*file) + size + 1);

    if (file == NULL)
        return NULL;
    snprintf((char *)(file + 1), size + 1, "%.*s/%s", (int)directory.size, directory.data, name);
    file->path = slice_make((const char *)(file + 1), size);
    return file;
}

static void cache_forget(struct document_cache *cache)
{
    for (size_t i = 0; i < cache->count; i++)
        file_free(cache->files[i]);
    free(cache->files);
    cache->files = NULL;
    cache->count = 0;
}

void document_cache_free(struct document_cache *cache)
{
    cache_forget(cache);
    free((char *)(uintptr_t)cache->directory.data);
    memset(cache, 0, sizeof(*cache));
}

static int cache_direct(struct document_cache *cache, struct slice directory)
{
    char *copy;

    if (cache->directory.data != NULL && slice_equal(cache->directory, directory))
        return 0;
    copy = strndup(directory.data, directory.size);
    if (copy == NULL)
        return -ENOMEM;
    document_cache_free(cache);
    cache->directory = slice_from(copy);
    return 0;
}

static void file_read(struct cached_file *file, int directory, const char *name,
                      struct document_list *list, struct diagnostics *diagnostics)
{
    struct stat status = {0};

    file_forget(file);
    file->state = CACHED_FILE_READ;
    documents_read_file(directory, name, file->path, list, diagnostics, &status);
    file->signature = signature_of(&status);
    file->young = clock_wall_milliseconds() < (int64_t)status.st_ctim.tv_sec * 1000 +
                                                  status.st_ctim.tv_nsec / 1000000 +
                                                  DOCUMENT_CACHE_YOUNG;
}

static bool file_unchanged(const struct cached_file *file, int directory, const char *name)
{
    struct file_signature signature;
    struct stat status;

    if (file->documents == NULL || fstatat(directory, name, &status, 0) < 0)
        return false;
    signature = signature_of(&status);
    return signature_equal(&file->signature, &signature);
}

/* The file of a name, taken out of the cache's list, or a new one. NULL: no memory. Both lists are
 * sorted alike, since the directory before every name is the same: *next never goes back. */
static struct cached_file *cache_take(struct document_cache *cache, const char *name, size_t *next)
{
    size_t prefix = cache->directory.size + 1;

    while (*next < cache->count) {
        struct cached_file *file = cache->files[*next];
        int order = strcmp(file->path.data + prefix, name);

        if (order > 0)
            break;
        cache->files[(*next)++] = NULL;
        if (order == 0)
            return file;
        file_free(file);
    }
    return file_make(cache->directory, name);
}

/* 0 or -ENOMEM: then everything is forgotten. */
static int cache_merge(struct document_cache *cache, int directory, struct dirent **entries,
                       size_t count, struct document_list *list, struct diagnostics *diagnostics)
{
    struct cached_file **files = calloc(count + 1, sizeof(struct cached_file *));
    size_t made = 0;
    size_t taken = 0;

    for (size_t i = 0; i < count && files != NULL; i++) {
        const char *name = entries[i]->d_name;
        struct cached_file *file = cache_take(cache, name, &taken);

        if (file == NULL)
            break;
        files[made++] = file;
        if (file_unchanged(file, directory, name))
            file->state = CACHED_FILE_SETTLED;
        else
            file_read(file, directory, name, list, diagnostics);
    }
    cache_forget(cache);
    cache->files = files;
    cache->count = made;
    if (files != NULL && made == count)
        return 0;
    cache_forget(cache);
    return -ENOMEM;
}

int document_cache_read(struct document_cache *cache, struct slice directory,
                        struct document_list *list, struct diagnostics *diagnostics)
{
    struct dirent **entries;
    int count;
    int fd;
    int status = cache_direct(cache, directory);

    if (status < 0)
        return status;
    fd = documents_open(cache->directory.data, &entries, &count);
    if (fd < 0)
        return fd;
    status = cache_merge(cache, fd, entries, (size_t)count, list, diagnostics);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    close(fd);
    return status;
}

size_t document_cache_read_count(const struct document_cache *cache)
{
    size_t count = 0;

    for (size_t i = 0; i < cache->count; i++)
        count += cache->files[i]->state == CACHED_FILE_READ;
    return count;
}

void document_cache_settle(struct cached_file *file, struct cached_document *documents,
                           size_t count)
{
    file_forget(file);
    if (file->young) {
        free(documents);
        return;
    }
    file->documents = documents;
    file->count = count;
}
