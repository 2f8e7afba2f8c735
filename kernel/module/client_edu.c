// SPDX-License-Identifier: GPL-2.0
/* The edu function's DMA engine. */
#include <linux/delay.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>

#include "client.h"

#define EDU_DMA_SOURCE		0x80
#define EDU_DMA_TARGET		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_COMMAND		0x98
#define EDU_DMA_START		BIT(0)
#define EDU_DMA_TO_MEMORY	BIT(1)
#define EDU_BUFFER		0x40000

/* One transfer takes 100 ms of the machine's time, however slow that runs. */
#define EDU_POLL_US		1000
#define EDU_TIMEOUT_US		(5 * USEC_PER_SEC)

/* Memory to the function's buffer, or back. */
static int edu_transfer(struct client *client, dma_addr_t dma, size_t length,
			bool to_memory)
{
	void __iomem *regs = client->regs;
	u32 command;

	writeq(to_memory ? EDU_BUFFER : dma, regs + EDU_DMA_SOURCE);
	writeq(to_memory ? dma : EDU_BUFFER, regs + EDU_DMA_TARGET);
	writeq(length, regs + EDU_DMA_COUNT);
	writel(EDU_DMA_START | (to_memory ? EDU_DMA_TO_MEMORY : 0),
	       regs + EDU_DMA_COMMAND);
	return readl_poll_timeout(regs + EDU_DMA_COMMAND, command,
				  !(command & EDU_DMA_START), EDU_POLL_US,
				  EDU_TIMEOUT_US);
}

/**
 * edu_copy() - copy between a kernel buffer and a DMA address
 * @client: the function
 * @dma: address of the other side
 * @data: kernel buffer, reached through the bounce page
 * @length: bytes, at most EDU_PIECE_BYTES
 * @to_memory: from @data to @dma, else the other way round
 *
 * Return: 0, or -ETIMEDOUT when the engine does not finish.
 */
int edu_copy(struct client *client, dma_addr_t dma, u8 *data, size_t length,
	     bool to_memory)
{
	dma_addr_t from = to_memory ? client->bounce_dma : dma;
	dma_addr_t to = to_memory ? dma : client->bounce_dma;
	int ret;

	mutex_lock(&client->engine);
	if (to_memory)
		memcpy(client->bounce, data, length);
	else
		memset(client->bounce, 0x5a, length);
	ret = edu_transfer(client, from, length, false);
	if (!ret)
		ret = edu_transfer(client, to, length, true);
	if (!ret && !to_memory)
		memcpy(data, client->bounce, length);
	mutex_unlock(&client->engine);
	return ret;
}
