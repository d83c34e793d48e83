# A client of Rekognition on the core of the AWS SDK for Ruby. The gem aws-sdk-rekognition is code
# that was generated from AWS's model; this makes the same classes from the model itself, which
# REKOGNITION_MODEL names.

require "aws-sdk-core"
require "json"
require "zlib"
require "aws-sdk-core/plugins/signature_v4"
require "aws-sdk-core/plugins/protocols/json_rpc"

module Aws
  module Rekognition
    Shapes = Seahorse::Model::Shapes
    MODEL = JSON.parse(Zlib::GzipReader.open(ENV.fetch("REKOGNITION_MODEL"), &:read))
    KINDS = { "long" => "integer", "double" => "float" }.freeze

    def self.ruby_name(name)
      name.gsub(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/, "_").downcase.to_sym
    end

    SHAPES = MODEL["shapes"].to_h do |name, shape|
      kind = KINDS.fetch(shape["type"], shape["type"]).capitalize
      [name, Shapes.const_get("#{kind}Shape").new(name: name)]
    end

    def self.ref(definition, **more)
      Shapes::ShapeRef.new(shape: SHAPES.fetch(definition["shape"]), **more)
    end

    def self.struct(members)
      return Aws::EmptyStructure if members.empty?

      Struct.new(*members.map { |name| ruby_name(name) }, keyword_init: true) do
        include Aws::Structure
      end
    end

    MODEL["shapes"].each do |name, shape|
      case shape["type"]
      when "structure"
        members = shape.fetch("members")
        members.each do |member, definition|
          required = shape.fetch("required", []).include?(member)
          made = ref(definition, required: required, location_name: member)
          SHAPES[name].add_member(ruby_name(member), made)
        end
        SHAPES[name].struct_class = struct(members.keys)
      when "list"
        SHAPES[name].member = ref(shape["member"])
      when "map"
        SHAPES[name].key = ref(shape["key"])
        SHAPES[name].value = ref(shape["value"])
      end
    end

    API = Seahorse::Model::Api.new.tap do |api|
      api.version = MODEL["metadata"]["apiVersion"]
      api.metadata = MODEL["metadata"]
      MODEL["operations"].each do |name, operation|
        api.add_operation(ruby_name(name), Seahorse::Model::Operation.new.tap do |made|
          made.name = name
          made.http_method = "POST"
          made.http_request_uri = "/"
          made.input = ref(operation["input"])
          made.output = ref(operation["output"])
          operation.fetch("errors", []).each { |error| made.errors << ref(error) }
          next unless SHAPES[operation["input"]["shape"]].member?(:next_token)

          tokens = { "next_token" => "next_token" }
          made[:pager] = Aws::Pager.new(limit_key: "max_results", tokens: tokens)
        end)
      end
    end

    module Errors
      extend Aws::Errors::DynamicErrors
    end

    class Client < Seahorse::Client::Base
      include Aws::ClientStubs

      set_api(API)
      add_plugin(Seahorse::Client::Plugins::ContentLength)
      %i[
        CredentialsConfiguration Logging ParamConverter ParamValidator UserAgent
        HelpfulSocketErrors RetryErrors GlobalConfiguration RegionalEndpoint EndpointPattern
        ResponsePaging StubResponses IdempotencyToken JsonvalueConverter TransferEncoding
        DefaultsMode RecursionDetection SignatureV4
      ].each { |plugin| add_plugin(Aws::Plugins.const_get(plugin)) }
      add_plugin(Aws::Plugins::Protocols::JsonRpc)

      def self.identifier = :rekognition
      def self.errors_module = Errors
    end
  end
end
