# The core of the AWS SDK for Ruby against a running server: LOOKALIKE_URL is its address,
# LOOKALIKE_FACES a folder of pictures.

require "aws-sdk-rekognition"

ACCOUNT = "340000000001"
NOBODY = "00000000-0000-4000-8000-000000000000"
CLIENT = Aws::Rekognition::Client.new(
  endpoint: ENV.fetch("LOOKALIKE_URL"),
  region: "eu-west-1",
  credentials: Aws::Credentials.new(ACCOUNT, "any"),
  retry_limit: 0
)

def equal(actual, expected)
  raise "#{actual.inspect} is not #{expected.inspect}" unless actual == expected
end

def picture(name)
  { bytes: File.binread(File.join(ENV.fetch("LOOKALIKE_FACES"), name)) }
end

def failure
  yield
rescue Aws::Errors::ServiceError => error
  error
end

here = { collection_id: "staff" }

made = CLIENT.create_collection(**here, tags: { "team" => "door" })
equal made.collection_arn, "aws:rekognition:eu-west-1:#{ACCOUNT}:collection/staff"
described = CLIENT.describe_collection(here)
equal described.face_count, 0
equal (Time.now - described.creation_timestamp).abs < 60, true
arn = described.collection_arn
CLIENT.tag_resource(resource_arn: arn, tags: { "owner" => "ana" })
CLIENT.untag_resource(resource_arn: arn, tag_keys: ["team"])
equal CLIENT.list_tags_for_resource(resource_arn: arn).tags, { "owner" => "ana" }
equal CLIENT.list_collections.collection_ids, ["staff"]

indexed = CLIENT.index_faces(
  **here, image: picture("one-1.jpg"), external_image_id: "one-1.jpg", detection_attributes: ["ALL"]
)
equal indexed.face_records.size, 1
record = indexed.face_records.first
equal record.face.external_image_id, "one-1.jpg"
equal [record.face_detail.landmarks.size, record.face_detail.emotions.size], [30, 8]
face = record.face.face_id
other = CLIENT.index_faces(**here, image: picture("three.jpg")).face_records.first.face.face_id
# Each page is a request.
listed = CLIENT.list_faces(**here, max_results: 1).flat_map { |page| page.faces.map(&:face_id) }
equal listed, [face, other].sort

found = CLIENT.search_faces_by_image(**here, image: picture("one-2.jpg")).face_matches
equal found.map { |match| match.face.face_id }, [face]
equal found.first.similarity >= 80, true
others = CLIENT.search_faces(**here, face_id: face, face_match_threshold: 0).face_matches
equal others.first.face.face_id, other
equal CLIENT.detect_faces(image: picture("one-1.jpg")).face_details.size, 1
two = { source_image: picture("one-1.jpg"), target_image: picture("three.jpg") }
compared = CLIENT.compare_faces(two)
equal [compared.face_matches.size, compared.unmatched_faces.size], [0, 1]

user = { **here, user_id: "one" }
CLIENT.create_user(user)
given = CLIENT.associate_faces(**user, face_ids: [face])
equal given.associated_faces.map(&:face_id), [face]
equal CLIENT.list_users(here).users.map(&:to_h), [{ user_id: "one", user_status: "ACTIVE" }]
by_face = CLIENT.search_users(**here, face_id: face).user_matches
equal by_face.map { |match| match.user.user_id }, ["one"]
by_image = CLIENT.search_users_by_image(**here, image: picture("one-2.jpg")).user_matches
equal by_image.map { |match| match.user.user_id }, ["one"]
taken = CLIENT.disassociate_faces(**user, face_ids: [face])
equal taken.disassociated_faces.map(&:face_id), [face]
CLIENT.delete_user(user)

missing = failure { CLIENT.list_faces(collection_id: "none") }
equal missing.class, Aws::Rekognition::Errors::ResourceNotFoundException
equal missing.message, "The collection id: none does not exist"
equal failure { CLIENT.detect_faces(image: { bytes: "GIF" }) }.code, "InvalidImageFormatException"
# The model does not know this one.
equal failure { CLIENT.detect_faces(image: { bytes: "" }) }.code, "ValidationException"

deleted = CLIENT.delete_faces(**here, face_ids: [face, other, NOBODY])
equal deleted.deleted_faces, [face, other]
equal CLIENT.delete_collection(here).status_code, 200
puts "1 passed"
