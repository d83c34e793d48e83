<?php

// The core of AsyncAws against a running server: LOOKALIKE_URL is its address, LOOKALIKE_FACES a
// folder of pictures. async-aws/rekognition adds a class for each request and answer; signatures,
// transport and errors are those of the core.

declare(strict_types=1);

require_once 'AsyncAws/Core/autoload.php';

use AsyncAws\Core\AbstractApi;
use AsyncAws\Core\Exception\Http\ClientException;
use AsyncAws\Core\Request;
use AsyncAws\Core\Stream\StreamFactory;

const ACCOUNT = '350000000001';
const NOBODY = '00000000-0000-4000-8000-000000000000';

final class RekognitionClient extends AbstractApi
{
    public function call(string $operation, array $input = []): array
    {
        $headers = [
            'Content-Type' => 'application/x-amz-json-1.1',
            'X-Amz-Target' => "RekognitionService.$operation",
        ];
        $body = StreamFactory::create(json_encode((object) $input, \JSON_THROW_ON_ERROR));

        return $this->getResponse(new Request('POST', '/', [], $headers, $body))->toArray();
    }

    protected function getEndpointMetadata(?string $region): array
    {
        return [
            'endpoint' => "https://rekognition.$region.amazonaws.com",
            'signRegion' => $region,
            'signService' => 'rekognition',
            'signVersions' => ['v4'],
        ];
    }
}

function equal(mixed $actual, mixed $expected): void
{
    if ($actual !== $expected) {
        throw new LogicException(json_encode($actual) . ' is not ' . json_encode($expected));
    }
}

function picture(string $name): array
{
    return ['Bytes' => base64_encode(file_get_contents(getenv('LOOKALIKE_FACES') . "/$name"))];
}

function failure(callable $call): ClientException
{
    try {
        $call();
    } catch (ClientException $error) {
        return $error;
    }
    throw new LogicException('the call did not fail');
}

$client = new RekognitionClient([
    'endpoint' => getenv('LOOKALIKE_URL'),
    'region' => 'eu-west-1',
    'accessKeyId' => ACCOUNT,
    'accessKeySecret' => 'any',
]);
$here = ['CollectionId' => 'staff'];

$made = $client->call('CreateCollection', $here + ['Tags' => ['team' => 'door']]);
equal($made['CollectionArn'], 'aws:rekognition:eu-west-1:' . ACCOUNT . ':collection/staff');
$described = $client->call('DescribeCollection', $here);
equal($described['FaceCount'], 0);
$tags = $client->call('ListTagsForResource', ['ResourceArn' => $described['CollectionARN']]);
equal($tags, ['Tags' => ['team' => 'door']]);

$index = static function (string $name, string $person) use ($client, $here): string {
    $input = $here + ['Image' => picture($name), 'ExternalImageId' => $person];

    return $client->call('IndexFaces', $input)['FaceRecords'][0]['Face']['FaceId'];
};
$face = $index('one-1.jpg', 'one');
$other = $index('three.jpg', 'three');
$found = $client->call('SearchFacesByImage', $here + ['Image' => picture('one-2.jpg')]);
equal(array_column(array_column($found['FaceMatches'], 'Face'), 'ExternalImageId'), ['one']);
$user = $here + ['UserId' => 'one'];
equal($client->call('CreateUser', $user), []);
$given = $client->call('AssociateFaces', $user + ['FaceIds' => [$face]]);
equal($given['AssociatedFaces'], [['FaceId' => $face]]);
equal($client->call('DeleteUser', $user), []);

$missing = failure(fn () => $client->call('ListFaces', ['CollectionId' => 'none']));
equal($missing->getAwsCode(), 'ResourceNotFoundException');
equal($missing->getAwsMessage(), 'The collection id: none does not exist');
$empty = failure(fn () => $client->call('DetectFaces', ['Image' => ['Bytes' => '']]));
equal($empty->getAwsCode(), 'ValidationException');

$deleted = $client->call('DeleteFaces', $here + ['FaceIds' => [$face, $other, NOBODY]]);
equal($deleted['DeletedFaces'], [$face, $other]);
equal($client->call('DeleteCollection', $here), ['StatusCode' => 200]);
echo "1 passed\n";
