"""A crawl of its own: index, address, where to write the items, and more settings as JSON."""

import json
import sys

import scrapy
from scrapy.crawler import CrawlerProcess


class News(scrapy.Spider):
    name = "news"

    async def start(self):
        for number in range(4):
            yield scrapy.Request(f"{sys.argv[2]}/{number}.html", priority=-number)

    def parse(self, response):
        yield {"url": response.url, "body": " ".join(response.css("p::text").getall()), "kind": "news"}


process = CrawlerProcess(
    {
        "ITEM_PIPELINES": {"dedup.integrations.scrapy.DedupPipeline": 300},
        "DEDUP_INDEX": sys.argv[1],
        "DEDUP_FIELDS": {"text": "body"},
        "FEEDS": {sys.argv[3]: {"format": "jsonlines"}},
        "CONCURRENT_REQUESTS": 1,
        "LOG_LEVEL": "ERROR",
        "TELNETCONSOLE_ENABLED": False,
        **json.loads(sys.argv[4]),
    }
)
crawler = process.create_crawler(News)
process.crawl(crawler)
process.start()
stats = crawler.stats.get_stats()
print(json.dumps({name: value for name, value in stats.items() if name.startswith("dedup/")}))
