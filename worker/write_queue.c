#include "worker/write_queue.h"

void write_queue_add(struct write_queue *queue, struct write_entry *entry)
{
    if (entry->link != NULL)
        return;
    if (queue->first == NULL)
        queue->last = &queue->first;
    entry->next = NULL;
    entry->link = queue->last;
    *entry->link = entry;
    queue->last = &entry->next;
}

void write_queue_remove(struct write_queue *queue, struct write_entry *entry)
{
    if (entry->link == NULL)
        return;
    *entry->link = entry->next;
    if (entry->next != NULL)
        entry->next->link = entry->link;
    else
        queue->last = entry->link;
    entry->link = NULL;
}

void write_queue_run(struct write_queue *queue)
{
    struct write_entry *entry;

    while ((entry = queue->first) != NULL) {
        write_queue_remove(queue, entry);
        entry->write(entry);
    }
}
