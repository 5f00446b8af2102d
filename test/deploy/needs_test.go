package deploy

// What the calls of the code need in IAM, and on what. Calls of the store go to
// two tables; those of the SDK to what the function's environment names.

// tableCalls is what each method of the store calls. A method that is missing
// here fails the test.
var tableCalls = map[string][]grant{
	"store.Put":          {{"dynamodb:PutItem", "connections"}},
	"store.Get":          {{"dynamodb:GetItem", "connections"}},
	"store.Delete":       {{"dynamodb:DeleteItem", "connections"}},
	"store.ByUser":       {{"dynamodb:Query", "connections"}},
	"store.HasLive":      {{"dynamodb:Query", "connections"}},
	"store.All":          {{"dynamodb:Scan", "connections"}},
	"store.Prune":        {{"dynamodb:DeleteItem", "connections"}},
	"store.Touch":        {{"dynamodb:UpdateItem", "connections"}},
	"store.Refresh":      {{"dynamodb:UpdateItem", "connections"}},
	"store.SweepExpired": {{"dynamodb:Scan", "connections"}, {"dynamodb:DeleteItem", "connections"}},

	"store.LoadRecord":    {{"dynamodb:GetItem", "state"}},
	"store.SaveRecord":    {{"dynamodb:PutItem", "state"}},
	"store.DeleteRecord":  {{"dynamodb:DeleteItem", "state"}},
	"store.Presence":      {{"dynamodb:GetItem", "state"}},
	"store.SavePresence":  {{"dynamodb:PutItem", "state"}},
	"store.MarkAnnounced": {{"dynamodb:UpdateItem", "state"}},
	"store.PresenceRows":  {{"dynamodb:Scan", "state"}},
	"store.PutCapped": {
		{"dynamodb:GetItem", "state"},
		{"dynamodb:PutItem", "state"},
		{"dynamodb:Query", "connections"},
		{"dynamodb:PutItem", "connections"},
		{"dynamodb:DeleteItem", "connections"},
	},

	"store.Join":          append(state("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"), grant{"dynamodb:GetItem", "connections"}),
	"store.Leave":         state("GetItem", "DeleteItem"),
	"store.IsMember":      state("GetItem"),
	"store.Members":       state("GetItem", "Query"),
	"store.CountMembers":  state("GetItem", "Query"),
	"store.Channels":      state("Query"),
	"store.RaiseShards":   state("UpdateItem"),
	"store.Subscribe":     append(state("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"), grant{"dynamodb:GetItem", "connections"}),
	"store.Unsubscribe":   state("GetItem", "DeleteItem"),
	"store.Subscriptions": state("Query"),
	"store.Subscribers":   state("Query"),
	"store.Forget":        state("DeleteItem", "Query"),
	"store.Prolong":       state("GetItem", "PutItem", "UpdateItem", "Query"),
}

func state(ops ...string) (all []grant) {
	for _, op := range ops {
		all = append(all, grant{"dynamodb:" + op, "state"})
	}
	return all
}

// otherCalls is what each function's other calls need.
var otherCalls = map[string]map[string][]grant{
	"websocket": {
		"sns.PublishBatch":     {{"sns:Publish", "messages topic"}},
		"sqs.SendMessageBatch": {{"sqs:SendMessage", "messages queue"}, {"sqs:SendMessage", "notifications queue"}},
	},
	"pusher": {
		"sqs.SendMessageBatch": {{"sqs:SendMessage", "notifications queue"}},
		"sqs.SendMessage":      {{"sqs:SendMessage", "rejected queue"}},
		"apigw.Post":           {{"execute-api:ManageConnections", "post"}},
	},
	"presence": {
		"sns.PublishBatch":     {{"sns:Publish", "messages topic"}},
		"sqs.SendMessageBatch": {{"sqs:SendMessage", "messages queue"}},
		"sqs.SendMessage":      {{"sqs:SendMessage", "checks queue"}},
		"apigw.Get":            {{"execute-api:ManageConnections", "get"}},
	},
}

// never is what the call graph has and no run of the function does, with why.
// An entry that the graph does not have fails the test.
var never = map[string]map[string]string{
	"pusher": {
		"apigw.PostBatch": "no host is said to be a node: API Gateway takes one post in a request",
	},
	"websocket": {
		"store.Refresh":      "AppOptions.Refresh is not set: API Gateway asks its authorizer once",
		"store.LoadRecord":   "the API has an authorizer: WebSocketOptions.Identities is nil, and so is AppOptions.Revocations",
		"store.SaveRecord":   "the API has an authorizer: WebSocketOptions.Identities is nil",
		"store.DeleteRecord": "the API has an authorizer: WebSocketOptions.Identities is nil",
	},
}

// platform is what Lambda itself does in the function's name.
var platform = map[string][]grant{
	"authorizer": logs,
	"websocket":  logs,
	"pusher":     append(reads("notifications queue"), logs...),
	"presence": append(append(reads("checks queue"), logs...),
		grant{"dynamodb:DescribeStream", "stream"}, grant{"dynamodb:GetRecords", "stream"},
		grant{"dynamodb:GetShardIterator", "stream"}, grant{"dynamodb:ListStreams", "stream"},
		grant{"sqs:SendMessage", "presence dead queue"},
	),
}

var logs = []grant{{"logs:CreateLogStream", "logs"}, {"logs:PutLogEvents", "logs"}}

func reads(queue string) []grant {
	return []grant{{"sqs:DeleteMessage", queue}, {"sqs:GetQueueAttributes", queue}, {"sqs:ReceiveMessage", queue}}
}

// direct is what API Gateway calls by its direct integrations.
var direct = []grant{
	{"sns:Publish", "messages topic"},
	{"sqs:SendMessage", "messages queue"},
	{"dynamodb:PutItem", "connections"},
	{"dynamodb:DeleteItem", "connections"},
}

// labels names the resources of policies, as each deployment writes them.
var labels = map[string]string{
	// Terraform.
	"aws_dynamodb_table.connections.arn":               "connections",
	"var.connections_table.arn":                        "connections",
	"aws_dynamodb_table.state.arn":                     "state",
	"local.state_table.arn":                            "state",
	`"${aws_dynamodb_table.connections.arn}/stream/*"`: "stream",
	`"${var.agma_arn}/*"`:                              "post",
	`"${aws_apigatewayv2_api.this.execution_arn}/${var.stage_name}/GET/@connections/*"`: "get",
	`"${aws_cloudwatch_log_group.this.arn}:*"`:                                          "logs",
	"aws_sns_topic.messages.arn":                                                        "messages topic",
	"aws_sqs_queue.messages.arn":                                                        "messages queue",
	"var.notifications_queue_arn":                                                       "notifications queue",
	"aws_sqs_queue.notifications.arn":                                                   "notifications queue",
	"aws_sqs_queue.rejected.arn":                                                        "rejected queue",
	"aws_sqs_queue.checks[0].arn":                                                       "checks queue",
	"aws_sqs_queue.presence_dead[0].arn":                                                "presence dead queue",
	// SAM and the Serverless Framework.
	`{"Fn::GetAtt":"ConnectionsTable.Arn"}`:          "connections",
	`{"Fn::GetAtt":["ConnectionsTable","Arn"]}`:      "connections",
	`{"Fn::GetAtt":"StateTable.Arn"}`:                "state",
	`{"Fn::GetAtt":["StateTable","Arn"]}`:            "state",
	`{"Fn::Sub":"${ConnectionsTable.Arn}/stream/*"}`: "stream",
	`{"Ref":"MessagesTopic"}`:                        "messages topic",
	`{"Fn::GetAtt":"MessagesQueue.Arn"}`:             "messages queue",
	`{"Fn::GetAtt":"NotificationsQueue.Arn"}`:        "notifications queue",
	`{"Fn::GetAtt":["RequestsQueue","Arn"]}`:         "notifications queue",
	`{"Fn::GetAtt":"RejectedQueue.Arn"}`:             "rejected queue",
	`{"Fn::GetAtt":["RejectedQueue","Arn"]}`:         "rejected queue",
	`{"Fn::GetAtt":"ChecksQueue.Arn"}`:               "checks queue",
	`{"Fn::GetAtt":"PresenceDeadQueue.Arn"}`:         "presence dead queue",
	`{"Fn::GetAtt":["EventsStream","Arn"]}`:          "events stream",
	`{"Fn::Sub":"arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/${StageName}/POST/@connections/*"}`:  "post",
	`{"Fn::Sub":"arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/${StageName}/GET/@connections/*"}`:   "get",
	`{"Fn::Sub":"arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WebsocketsApi}/dev/POST/@connections/*"}`: "post",
}
