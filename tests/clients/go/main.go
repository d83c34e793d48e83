// The AWS SDK for Go v2 against a running server: LOOKALIKE_URL is its address, LOOKALIKE_FACES a
// folder of pictures.
package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	rek "github.com/aws/aws-sdk-go-v2/service/rekognition"
	"github.com/aws/aws-sdk-go-v2/service/rekognition/types"
	"github.com/aws/smithy-go"
)

const (
	account = "330000000001"
	nobody  = "00000000-0000-4000-8000-000000000000"
)

var (
	ctx    = context.Background()
	staff  = aws.String("staff")
	client = rek.New(rek.Options{
		Region:           "eu-west-1",
		Credentials:      credentials.NewStaticCredentialsProvider(account, "any", ""),
		EndpointResolver: rek.EndpointResolverFromURL(os.Getenv("LOOKALIKE_URL")),
		Retryer:          aws.NopRetryer{},
	})
)

func main() {
	collections()
	face, other := faces()
	failures()
	cleanUp(face, other)
	fmt.Println("1 passed")
}

func collections() {
	tags := map[string]string{"team": "door"}
	made := must(client.CreateCollection(ctx, &rek.CreateCollectionInput{
		CollectionId: staff,
		Tags:         tags,
	}))
	equal(*made.CollectionArn, "aws:rekognition:eu-west-1:"+account+":collection/staff")
	equal(*made.StatusCode, int32(200))

	described := must(client.DescribeCollection(ctx, &rek.DescribeCollectionInput{
		CollectionId: staff,
	}))
	equal(*described.FaceCount, int64(0))
	equal(math.Abs(time.Since(*described.CreationTimestamp).Seconds()) < 60, true)
	arn := described.CollectionARN
	must(client.TagResource(ctx, &rek.TagResourceInput{
		ResourceArn: arn,
		Tags:        map[string]string{"owner": "ana"},
	}))
	must(client.UntagResource(ctx, &rek.UntagResourceInput{
		ResourceArn: arn,
		TagKeys:     []string{"team"},
	}))
	kept := must(client.ListTagsForResource(ctx, &rek.ListTagsForResourceInput{ResourceArn: arn}))
	equal(kept.Tags, map[string]string{"owner": "ana"})

	pages := rek.NewListCollectionsPaginator(client, &rek.ListCollectionsInput{})
	equal(must(pages.NextPage(ctx)).CollectionIds, []string{"staff"})
	equal(pages.HasMorePages(), false)
}

// Indexes, lists, finds and compares; the ids of two faces of two people.
func faces() (string, string) {
	indexed := must(client.IndexFaces(ctx, &rek.IndexFacesInput{
		CollectionId:        staff,
		Image:               picture("one-1.jpg"),
		ExternalImageId:     aws.String("one-1.jpg"),
		DetectionAttributes: []types.Attribute{types.AttributeAll},
	}))
	equal(len(indexed.FaceRecords), 1)
	record := indexed.FaceRecords[0]
	equal(*record.Face.ExternalImageId, "one-1.jpg")
	equal([]int{len(record.FaceDetail.Landmarks), len(record.FaceDetail.Emotions)}, []int{30, 8})
	face := *record.Face.FaceId
	second := must(client.IndexFaces(ctx, &rek.IndexFacesInput{
		CollectionId: staff,
		Image:        picture("three.jpg"),
	}))
	other := *second.FaceRecords[0].Face.FaceId

	var listed []string
	one := aws.Int32(1)
	pages := rek.NewListFacesPaginator(client, &rek.ListFacesInput{CollectionId: staff, MaxResults: one})
	for pages.HasMorePages() {
		for _, item := range must(pages.NextPage(ctx)).Faces {
			listed = append(listed, *item.FaceId)
		}
	}
	both := []string{face, other}
	sort.Strings(both)
	equal(listed, both)

	found := must(client.SearchFacesByImage(ctx, &rek.SearchFacesByImageInput{
		CollectionId: staff,
		Image:        picture("one-2.jpg"),
	}))
	equal(len(found.FaceMatches), 1)
	equal(*found.FaceMatches[0].Face.FaceId, face)
	equal(*found.FaceMatches[0].Similarity >= 80, true)
	others := must(client.SearchFaces(ctx, &rek.SearchFacesInput{
		CollectionId:       staff,
		FaceId:             &face,
		FaceMatchThreshold: aws.Float32(0),
	}))
	equal(*others.FaceMatches[0].Face.FaceId, other)
	detected := must(client.DetectFaces(ctx, &rek.DetectFacesInput{Image: picture("one-1.jpg")}))
	equal(len(detected.FaceDetails), 1)
	compared := must(client.CompareFaces(ctx, &rek.CompareFacesInput{
		SourceImage: picture("one-1.jpg"),
		TargetImage: picture("three.jpg"),
	}))
	equal([]int{len(compared.FaceMatches), len(compared.UnmatchedFaces)}, []int{0, 1})
	return face, other
}

func failures() {
	_, err := client.ListFaces(ctx, &rek.ListFacesInput{CollectionId: aws.String("none")})
	var missing *types.ResourceNotFoundException
	equal(errors.As(err, &missing), true)
	equal(missing.ErrorMessage(), "The collection id: none does not exist")

	_, err = client.DetectFaces(ctx, &rek.DetectFacesInput{Image: &types.Image{Bytes: []byte("GIF")}})
	var format *types.InvalidImageFormatException
	equal(errors.As(err, &format), true)

	// The model does not know this one.
	_, err = client.DetectFaces(ctx, &rek.DetectFacesInput{Image: &types.Image{Bytes: []byte{}}})
	var invalid smithy.APIError
	equal(errors.As(err, &invalid), true)
	equal(invalid.ErrorCode(), "ValidationException")
}

func cleanUp(face, other string) {
	ids := []string{face, other, nobody}
	deleted := must(client.DeleteFaces(ctx, &rek.DeleteFacesInput{
		CollectionId: staff,
		FaceIds:      ids,
	}))
	equal(deleted.DeletedFaces, ids[:2])
	gone := must(client.DeleteCollection(ctx, &rek.DeleteCollectionInput{CollectionId: staff}))
	equal(*gone.StatusCode, int32(200))
}

func picture(name string) *types.Image {
	return &types.Image{Bytes: must(os.ReadFile(filepath.Join(os.Getenv("LOOKALIKE_FACES"), name)))}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func equal(actual, expected any) {
	if !reflect.DeepEqual(actual, expected) {
		panic(fmt.Sprintf("%v is not %v", actual, expected))
	}
}
