package main

// price is what AWS charges for something.
type price struct {
	name   string
	dollar float64 // for a million
	source string
	read   string // when the source was read, or says it was written
}

func (p price) of(units float64) float64 { return units / 1e6 * p.dollar }

// Prices of us-east-1 on demand, without free tiers and volume discounts. They
// differ by Region and change: compare them with AWS's own pages before you
// decide anything by them.
var (
	priceMessage = price{
		"WebSocket message, each 32 KB begun", 1.00,
		"awsforengineers.com/blog/aws-api-gateway-pricing-explained", "2025-05",
	}
	priceMinute = price{
		"WebSocket connection minute", 0.25,
		"amnic.com, which quotes aws.amazon.com/api-gateway/pricing", "2026-11",
	}
	priceWrite = price{
		"DynamoDB write request unit", 0.625,
		"airbyte.com/data-engineering-resources/dynamodb-pricing", "2026-11",
	}
	priceRead = price{
		"DynamoDB read request unit", 0.125,
		"airbyte.com/data-engineering-resources/dynamodb-pricing", "2026-11",
	}
	priceInvocation = price{
		"Lambda request", 0.20,
		"git.mcrn.ar/mariano/lambda_local_runner, which quotes aws.amazon.com/lambda/pricing", "2026-06",
	}
	priceGBSecond = price{
		"Lambda GB-second on arm64", 13.3334,
		"git.mcrn.ar/mariano/lambda_local_runner, which quotes aws.amazon.com/lambda/pricing", "2026-06",
	}
	priceQueue = price{
		"SQS request to a standard queue, each 64 KB begun", 0.40,
		"cloudburn.io/blog/amazon-sqs-pricing", "2026-03",
	}
)

var prices = []price{
	priceMessage, priceMinute, priceWrite, priceRead, priceInvocation, priceGBSecond, priceQueue,
}
