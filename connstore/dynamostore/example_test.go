package dynamostore_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// exampleClient stands for dynamodb.NewFromConfig(cfg).
var exampleClient = dynamodb.New(dynamodb.Options{Region: "eu-central-1"})

func ExampleNew() {
	store, err := dynamostore.New(exampleClient, func(o *dynamostore.Options) {
		o.Connections = "my-connections"
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, capper := any(store).(sumu.Capper)
	fmt.Println("bounds the connections of a user:", capper)
	// Output: bounds the connections of a user: false
}

func ExampleNewWithState() {
	store, err := dynamostore.NewWithState(exampleClient, func(o *dynamostore.Options) {
		o.Connections, o.State = "my-connections", "my-state"
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, capper := any(store).(sumu.Capper)
	fmt.Println("bounds the connections of a user:", capper)
	// Output: bounds the connections of a user: true
}

// On your own machine the tables may be in DynamoDB Local.
func ExampleCreateTables() {
	client := dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String("http://127.0.0.1:8000"),
		Region:       "us-east-1",
	})
	if err := dynamostore.CreateTables(context.Background(), client); err != nil {
		fmt.Println(err)
	}
}
