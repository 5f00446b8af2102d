module github.com/sumu-live/sumu

go 1.26
