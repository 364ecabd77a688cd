"""Storage that speaks S3: AWS, Aliyun OSS, Tencent COS, MinIO."""
